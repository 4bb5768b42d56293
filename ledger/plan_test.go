package ledger_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"strongroom/internal/testenv"
	"strongroom/ledger"
)

// A new installation prepares its statements while its tables are empty, and keeps those
// plans until somebody makes statistics.
func TestLookUpsNeverReadAWholeTable(t *testing.T) {
	pool := openPool(t, testenv.Postgres(t, ledger.Migrations()))
	conn, err := pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	_, err = conn.Exec(t.Context(), `SET plan_cache_mode = force_generic_plan`)
	require.NoError(t, err)
	for name, statement := range ledger.LookUps() {
		_, err := conn.Exec(t.Context(), "PREPARE "+name+" AS "+statement)
		require.NoError(t, err)
		rows, err := conn.Query(t.Context(), "EXPLAIN EXECUTE "+name+"('{a,b}')", pgx.QueryExecModeSimpleProtocol)
		require.NoError(t, err)
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		plan := strings.Join(lines, "\n")
		assert.Contains(t, plan, "Index", name)
		assert.NotContains(t, plan, "Seq Scan", "%s:\n%s", name, plan)
		assert.NotContains(t, plan, "Hash Join", "%s:\n%s", name, plan)
	}
}
