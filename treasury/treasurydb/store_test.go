package treasurydb_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"strongroom/internal/pg"
	"strongroom/internal/testenv"
	"strongroom/money"
	"strongroom/treasury"
	"strongroom/treasury/addressbook"
	"strongroom/treasury/consent"
	"strongroom/treasury/intent"
	"strongroom/treasury/treasurydb"
	"strongroom/treasury/vault"
)

func now() time.Time { return time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC) }

func open(tb testing.TB) *pgxpool.Pool {
	tb.Helper()
	pool, err := pg.Open(context.Background(), testenv.Postgres(tb, treasurydb.Migrations()))
	require.NoError(tb, err)
	tb.Cleanup(pool.Close)
	return pool
}

func row(tb testing.TB, id string) treasurydb.Row {
	tb.Helper()
	i := intent.Intent{
		Environment: "test", ID: "wdr_" + id, Action: intent.Withdrawal, Chain: "ethereum", Genesis: "1", Asset: "ETH", To: "0xabc",
		Amount: money.FromUint64(7), Requester: "customer:1", Policy: 1, Reason: "because", Created: now().Unix(), Expires: now().Add(time.Hour).Unix(),
	}
	h, err := i.Hash()
	require.NoError(tb, err)
	return treasurydb.Row{
		Request: treasury.Request{
			ID: "rqs_" + id, Intent: i, Hash: h, State: treasury.Waiting, Version: 1, Requirement: consent.Requirement{Group: "treasury", Count: 2},
			Missing: "2 of treasury", Created: now(), Expires: now().Add(time.Hour),
			Notes: []treasury.Note{{Level: treasury.Warning, Text: "new"}}, Effect: []string{"pays"}, Payload: []byte{1, 2},
		},
		Round: 1, Class: "new", Roster: 1, Asks: true,
	}
}

func TestKeepsARequestAsItIs(t *testing.T) {
	t.Parallel()
	ctx, pool := context.Background(), open(t)
	want := row(t, "a")
	require.NoError(t, treasurydb.InsertRequest(ctx, pool, &want))
	got, err := treasurydb.Request(ctx, pool, "rqs_a", false)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.ErrorIs(t, treasurydb.InsertRequest(ctx, pool, &want), treasury.ErrConflict)

	_, err = treasurydb.Request(ctx, pool, "rqs_b", false)
	require.ErrorIs(t, err, treasury.ErrUnknown)
}

// TestNothingIsTakenBack tries what an administrator's hand or a mistake would do.
func TestNothingIsTakenBack(t *testing.T) {
	t.Parallel()
	ctx, pool := context.Background(), open(t)
	r := row(t, "a")
	require.NoError(t, treasurydb.InsertRequest(ctx, pool, &r))
	signed := treasury.Signed{Approval: consent.Approval{Person: "ada", Key: "k", Scheme: consent.Ed25519, Verdict: consent.Approve, At: 5, Signature: []byte{1}}, Name: "Ada", Came: now()}
	require.NoError(t, treasurydb.InsertApproval(ctx, pool, r.ID, &signed, nil))
	v := vault.Vault{ID: "cold-eth", Asset: "ETH", Chain: "ethereum", Tier: vault.Cold, Address: "0x1", ProofDays: 30}
	_, err := treasurydb.SaveVault(ctx, pool, &v, 0, now())
	require.NoError(t, err)
	require.NoError(t, treasurydb.InsertSnapshot(ctx, pool, &treasury.Snapshot{Vault: "cold-eth", Final: money.FromUint64(9), At: now()}))
	require.NoError(t, treasurydb.InsertProof(ctx, pool, &treasury.ProofRow{Proof: vault.Proof{Vault: "cold-eth", At: 5}, Kind: treasury.ProofDrill, Evidence: "x", Came: now()}))

	for _, sql := range []string{
		`UPDATE treasury.request SET intent = replace(intent, '0xabc', '0xbad'), version = version + 1`,
		`UPDATE treasury.request SET requirement = '{"group":"x","count":1}', version = version + 1`,
		`UPDATE treasury.request SET effect = '["pays nobody"]', version = version + 1`,
		`UPDATE treasury.request SET state = 'approved', missing = ''`, // the version stays
		`DELETE FROM treasury.request`, `TRUNCATE treasury.request CASCADE`,
		`UPDATE treasury.approval SET person = 'bob'`, `DELETE FROM treasury.approval`,
		`UPDATE treasury.holding SET final = 0`, `DELETE FROM treasury.holding`,
		`UPDATE treasury.proof SET at = 7`, `DELETE FROM treasury.vault`, `DELETE FROM treasury.head`,
		`UPDATE treasury.passkey_count SET count = 1`, `DELETE FROM treasury.roster`,
	} {
		_, err := pool.Exec(ctx, sql)
		require.Error(t, err, sql)
	}
	require.NoError(t, treasurydb.MoveRequest(ctx, pool, &r, treasurydb.Step{To: treasury.Denied, Outcome: "no", At: now()}))
	_, err = pool.Exec(ctx, `UPDATE treasury.request SET state = 'waiting', missing = 'x', ended = NULL, outcome = '', version = version + 1`)
	require.ErrorContains(t, err, "forward only")
	require.NoError(t, treasurydb.SetHead(ctx, pool, treasurydb.Head{Policy: 3, Roster: 2}))
	require.Error(t, treasurydb.SetHead(ctx, pool, treasurydb.Head{Policy: 2, Roster: 2}))
}

func TestCountersGrow(t *testing.T) {
	t.Parallel()
	ctx, pool := context.Background(), open(t)
	r := row(t, "a")
	require.NoError(t, treasurydb.InsertRequest(ctx, pool, &r))
	signed := treasury.Signed{Approval: consent.Approval{Person: "ada", Key: "k", Scheme: consent.WebAuthn, Verdict: consent.Approve, At: 5, Payload: []byte{2}, Signature: []byte{1}}, Name: "Ada", Came: now()}
	count := consent.Count{Person: "ada", Key: "k", Count: 5, Approval: signed.Digest()}
	require.NoError(t, treasurydb.Fresh(ctx, pool, &count))
	require.NoError(t, treasurydb.InsertApproval(ctx, pool, r.ID, &signed, &count))
	require.NoError(t, treasurydb.Fresh(ctx, pool, &count), "the same approval again")
	for number, fresh := range map[uint32]bool{0: false, 4: false, 5: false, 6: true} {
		err := treasurydb.Fresh(ctx, pool, &consent.Count{Person: "ada", Key: "k", Count: number, Approval: [32]byte{1}})
		if fresh {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, consent.ErrCloned, number)
		}
	}
	uses, err := treasurydb.KeyUses(ctx, pool)
	require.NoError(t, err)
	require.Len(t, uses, 1)
	require.Equal(t, uint32(5), uses[0].Count)
}

func TestOneEntryPerAddress(t *testing.T) {
	t.Parallel()
	ctx, pool := context.Background(), open(t)
	e := treasury.EntryRow{Entry: addressbook.Entry{
		ID: "adr_1", Owner: addressbook.House, Chain: "ethereum", Address: "0x1", Label: "exchange", State: addressbook.Proposed, ProposedAt: 5, Wait: 60,
	}, Request: "rqs_1"}
	require.NoError(t, treasurydb.InsertEntry(ctx, pool, &e))
	again := e
	again.ID = "adr_2"
	require.ErrorIs(t, treasurydb.InsertEntry(ctx, pool, &again), addressbook.ErrThere)
	denied, err := e.Deny("no", now())
	require.NoError(t, err)
	require.NoError(t, treasurydb.MoveEntry(ctx, pool, &denied, e.State))
	require.ErrorIs(t, treasurydb.MoveEntry(ctx, pool, &denied, e.State), treasury.ErrConflict)
	require.NoError(t, treasurydb.InsertEntry(ctx, pool, &again))
	list, err := treasurydb.Entries(ctx, pool, "")
	require.NoError(t, err)
	require.Equal(t, []treasury.EntryRow{again, {Entry: denied, Request: "rqs_1"}}, list)
}
