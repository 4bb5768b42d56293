package archtest

// rule says what the packages of one place may import of this module. "x" is that
// package, "x/..." it and everything below, "*" everything but cmd. The first rule
// that names a package speaks for it.
type rule struct{ place, may string }

// layout is the list. Tests are freer: they may import anything but cmd.
func layout() []rule {
	return []rule{
		// Values and small helpers.
		{"money", ""},
		{"internal/id", ""},
		{"internal/kv", ""},
		{"internal/mtls", ""},
		{"internal/obs", ""},
		{"internal/temporalx", ""},
		{"internal/gen/...", ""},
		{"internal/pg", "money"},
		{"internal/crash", ""},
		{"internal/planted", ""},

		// What only development, tests and measurements need.
		{"internal/archtest", ""},
		{"internal/testenv", "internal/devstack internal/id internal/pg"},
		{"internal/devstack/people", "money chainadapters/bitcoin/multisig chainadapters/evm/safe treasury/..."},
		{"internal/devstack/...", "money chainadapters chainadapters/bitcoin/network chainadapters/evm/safe/... contracts internal/devstack/... internal/mtls"},
		{"internal/tour", "money api/client"},
		{"internal/e2e/...", "*"},
		{"internal/bench/...", "*"},
		{"internal/chaos/...", "*"},
		{"contracts/...", ""},
		{"deploy/...", ""},

		// Domains, downward only.
		{"ledger/...", "money internal/pg internal/crash ledger/..."},
		{"identity/...", "money internal/pg internal/id identity/..."},
		{"assets", "money chainadapters internal/pg"},
		{"custody", "money chainadapters ledger"}, // rules and states: no SQL of its own
		{"custody/custodytest/...", "money chainadapters/... ledger/... custody/... internal/id internal/pg internal/testenv"},
		{"custody/...", "money chainadapters ledger/... custody/... internal/pg internal/id internal/crash internal/planted"},

		{"compliance/...", "chainadapters custody compliance/..."},

		// House money. What the signer and offline programs read knows nothing else.
		{"treasury", "money treasury/intent treasury/consent treasury/vault treasury/addressbook"},
		{"treasury/intent", "money internal/planted"},
		{"treasury/consent/...", "money internal/planted treasury/intent treasury/consent"},
		{"treasury/vault", "money internal/planted treasury/intent"},
		{"treasury/policy", "money treasury/intent treasury/consent"},
		{"treasury/addressbook", "custody"}, // what looks alike
		{"treasury/treasurydb", "money internal/pg treasury treasury/intent treasury/consent treasury/vault treasury/addressbook"},
		{"treasury/desk", "money internal/crash internal/id treasury treasury/intent treasury/consent treasury/policy treasury/vault treasury/addressbook treasury/treasurydb treasury/drill"},
		{"treasury/setup", "money treasury/addressbook treasury/consent treasury/policy treasury/vault"},
		{"treasury/herald", "treasury treasury/consent treasury/treasurydb"},
		{"treasury/envoy", "treasury treasury/intent treasury/consent treasury/addressbook"},
		{"treasury/vaultcoins", "money chainadapters chainadapters/bitcoin/multisig custody custody/custodydb custody/desk"},
		{"treasury/vaultsafe", "money chainadapters chainadapters/evm/safe/... custody custody/custodydb custody/desk treasury/consent"},
		{"treasury/gate", "money custody custody/custodydb custody/desk chainadapters treasury treasury/intent treasury/consent treasury/addressbook"},
		{"treasury/mover", "money custody custody/custodydb chainadapters treasury treasury/intent treasury/vault"},
		{"treasury/drill", "chainadapters/bitcoin/multisig chainadapters/evm/safe"},
		{"treasury/cold", "money api/strictjson chainadapters/bitcoin/network chainadapters/bitcoin/multisig chainadapters/evm/safe treasury/drill"}, // no node, no SQL

		// Adapters know their port; the signer knows neither database nor node.
		{"chainadapters", "money"},
		{"chainadapters/all", "chainadapters/..."},
		{"chainadapters/chaintest/nodes", "money contracts chainadapters/... internal/devstack internal/testenv"},
		{"chainadapters/chaintest/...", "money contracts chainadapters/..."},
		{"chainadapters/evm/safe", ""}, // machines without network have it: no node's client
		{"chainadapters/evm/safe/safechain", "chainadapters/evm/safe contracts"},
		{"chainadapters/bitcoin/network", ""},
		{"chainadapters/bitcoin/multisig", "money chainadapters/bitcoin/network"},
		{"chainadapters/bitcoin", "money chainadapters chainadapters/bitcoin/network"},
		{"chainadapters/evm", "money chainadapters chainadapters/evm/safe"},
		{"chainadapters/...", "money chainadapters"},
		// Tokens hold keys and know nothing of what is signed.
		{"signer/hsm/...", "signer/hsm/hsmtest"},
		{"signer/client", "money chainadapters internal/gen/... treasury/consent"},
		{"signer/...", "money internal/mtls internal/gen/... chainadapters/bitcoin/network treasury/intent treasury/consent treasury/policy internal/crash internal/planted signer/..."},

		// Matching knows neither customers nor chains nor SQL; its engine nothing at all.
		{"matching/engine/...", "internal/hugepage matching/engine/..."},
		// Settlement alone knows the book: it carries fills into it.
		{"matching/settle/settletest/...", "money ledger/... internal/pg internal/testenv internal/devstack/... internal/mtls internal/gen/... matching/..."},
		{"matching/settle/...", "internal/gen/... money ledger/... internal/pg internal/crash internal/planted matching/..."},
		{"trading", "money feed matching/engine matching/settle"},
		{"trading/sim", "money api/client trading"},                                  // customers like any other
		{"trading/funding", "money custody ledger internal/pg matching/... trading"}, // deposits flow on, withdrawals pull
		{"trading/...", "money feed/... ledger/... internal/pg internal/id internal/gen/... internal/crash matching/... trading/..."},
		{"feed/...", "matching/engine matching/client matching/wire internal/gen/... internal/pg internal/kv feed/..."},
		{"internal/hugepage", ""},
		{"matching/...", "internal/mtls internal/hugepage internal/gen/... matching/..."},

		// Workflows decide and touch nothing; activities translate.
		{"workflows/...", "money internal/temporalx custody workflows/..."},
		{"activities/...", "money internal/temporalx custody custody/desk chainadapters ledger signer/client trading/... matching/settle workflows/... activities"},
		{"worker/workertest", "custody trading internal/temporalx internal/testenv activities/... worker workflows/..."},
		{"worker/...", "internal/temporalx internal/crash custody/custodydb activities/... workflows/... worker/..."},

		// Front doors know domains, never adapters.
		{"api/client", "identity/reqsign internal/id"},
		{"api/...", "money ledger identity/... assets custody chainadapters treasury treasury/addressbook trading feed matching/engine internal/id internal/kv internal/obs api/..."},

		{"web/site", "internal/kv"},
		{"web/treasury/...", "money treasury treasury/intent treasury/consent treasury/policy treasury/vault treasury/addressbook internal/kv web/site web/treasury"},
		{"web", "money ledger identity trading feed matching/engine internal/kv web/site"},

		{"cmd/...", "*"},
	}
}

// ban keeps a module of others out of a place. Tests may set up what they test.
type ban struct{ place, module, why string }

// never keeps a module out of everything, tests included.
func never() []ban {
	return []ban{
		{"...", "go.temporal.io/server", "the server lives in the nested module devstack"},
		{"...", "github.com/temporalio/ui-server", "the server lives in the nested module devstack"},
	}
}

func bans() []ban {
	const sql = "decisions are made apart from SQL"
	return []ban{
		{"money", "github.com/jackc/pgx", sql},
		{"custody", "github.com/jackc/pgx", sql},
		{"workflows/...", "github.com/jackc/pgx", sql},
		{"activities/...", "github.com/jackc/pgx", sql},
		{"api/...", "github.com/jackc/pgx", sql},
		{"chainadapters/...", "github.com/jackc/pgx", "adapters have no database"},
		{"signer/...", "github.com/jackc/pgx", "the signer has no database"},
		{"cmd/signer", "github.com/jackc/pgx", "the signer has no database"},
		{"cmd/signer", "go.temporal.io/sdk", "the signer is the smallest trusted code"},
		{"workflows/...", "google.golang.org/grpc", "no network in workflows"},
		{"ledger/...", "go.temporal.io/sdk", "domains do not know who drives them"},
		{"custody/...", "go.temporal.io/sdk", "domains do not know who drives them"},
		{"custody/...", "github.com/ethereum/go-ethereum", "chains are behind their port"},
		{"custody/...", "github.com/btcsuite/btcd", "chains are behind their port"},
		{"api/...", "github.com/ethereum/go-ethereum", "chains are behind their port"},
		{"api/...", "github.com/btcsuite/btcd", "chains are behind their port"},
	}
}
