/*
 * The protocol of a withdrawal on an account chain: two withdrawals of one hot
 * key, their workers, a second worker that may be late in everything, a customer
 * who may cancel, a signer with a journal, and a network that keeps whatever it was
 * ever sent and mines it when it likes.
 *
 * Any worker may lose its memory at each step, as often as it likes, and the chain
 * may be reorganised as often as it likes within policy: neither is counted, which
 * covers two crashes and one reorganisation, and needs fewer states than counting.
 *
 * Without a macro this is the protocol as it is built. Each of these plants a
 * mistake that some assertion must catch; README.md says what each line stands for:
 * NEW_NONCE SEND_FIRST VOID_ON_ERROR POST_UNGUARDED POST_EARLY VOID_EARLY
 * CANCEL_UNGUARDED COUNTER_UNLOCKED. LATE looks at one withdrawal with two workers;
 * NO_AUDIT looks for harm only, not for what is left over at rest.
 */

#ifndef FINAL_DEPTH
#define FINAL_DEPTH 2 /* a reorganisation within policy replaces at most one block less */
#endif
#define NOBODY 7      /* a transaction without a nonce */

/* An intent's attempts: the payment, the same payment for more, and the cancellation. */
#define PAYMENT 0
#define DEARER 1
#define CANCELLATION 2
#define TX(i, a) (3 * (i) + (a))
#define BIT(t) (1 << (t))

/* Where an intent stands. PLANNED: nonce and plan of an attempt are stored. */
#define HELD 0
#define PLANNED 1
#define SIGNED 2
#define UNKNOWN 3
#define BROADCAST 4
#define STUCK 5
#define CONFIRMING 6
#define DEEP 7
#define POSTED 8
#define CANCELLED 9
#define ENDED(i) (st[i] >= POSTED)

/* The database: survives every crash. */
byte st[2];
byte plan[2];      /* attempt whose plan is stored */
byte newest[2];    /* newest attempt whose signed bytes are stored */
byte slot[2];
byte counter;      /* next nonce */
byte kept;         /* transactions whose bytes are stored */
byte view[6];      /* depth of each transaction, as the watcher has taken it in */
byte posts[2];     /* how often the ledger posted the hold */
byte voids[2];     /* how often it released the hold */

/* The signer: its journal binds a nonce to an intent. */
byte journal[4];   /* intent + 1 */
byte made;         /* what it has signed */

/* The network. */
byte nonce[6];
byte sent;         /* what it was ever sent */
byte depth[6];     /* 0: not in a block; FINAL_DEPTH and more: for good */
byte used;         /* nonces that the chain has used */
byte fixed;        /* those of them that it will not give back */

/* A fate is open while the transaction may still be mined: nobody has its nonce for good. */
#define MAY_PAY(t) ((made & BIT(t)) && (depth[t] > 0 || nonce[t] >= fixed))
#define PAID_FOR_GOOD(i) (depth[TX(i, PAYMENT)] == FINAL_DEPTH || depth[TX(i, DEARER)] == FINAL_DEPTH)

/* What must hold at all times. */
#define SOUND(i) \
	assert(!(depth[TX(i, PAYMENT)] > 0 && depth[TX(i, DEARER)] > 0));           /* paid at most once */ \
	assert(posts[i] + voids[i] <= 1);                                          /* one end of the hold */ \
	assert(posts[i] == 0 || PAID_FOR_GOOD(i));                                 /* posted: paid for good */ \
	assert(voids[i] == 0 || !(MAY_PAY(TX(i, PAYMENT)) || MAY_PAY(TX(i, DEARER)))) /* released: never paid */
#define CHECK SOUND(0); SOUND(1); assert((sent & ~kept) == 0) /* sent: stored before */

/* The signer commits to its journal before it signs. It refuses a nonce that
   belongs to another intent; asked again, it gives the same bytes. */
inline sign(i, t) {
	(journal[nonce[t]] == 0 || journal[nonce[t]] == i + 1);
	journal[nonce[t]] = i + 1;
	made = made | BIT(t)
}

inline keep(t) { kept = kept | BIT(t) }

inline take_slot(i) {
	slot[i] = counter;
	counter++;
	nonce[TX(i, PAYMENT)] = slot[i];
	nonce[TX(i, DEARER)] = slot[i];
	nonce[TX(i, CANCELLATION)] = slot[i]
}

inline release(i) { st[i] = CANCELLED; voids[i]++; CHECK }

inline bring(t) { sent = sent | BIT(t); CHECK }

/* A worker that dies in the middle, with all that it had in memory. */
#define CRASH atomic { t = 0; s = 0; goto top }

#define SEEN(a) (depth[TX(i, a)] > 0 || view[TX(i, a)] > 0)
#define MINED (SEEN(PAYMENT) || SEEN(DEARER) || SEEN(CANCELLATION))
#define AGREED(a) (depth[TX(i, a)] == FINAL_DEPTH && view[TX(i, a)] == FINAL_DEPTH)
#define VIEWED(a) (view[TX(i, a)] == FINAL_DEPTH)

/* One worker of intent i. Each change of st[i] compares first: another worker of
   the same intent may have been faster. */
proctype worker(byte i) {
	byte t, s;
top:
	if
	:: atomic { ENDED(i) -> goto done }
#ifdef COUNTER_UNLOCKED
	:: atomic { st[i] == HELD -> t = counter };
		atomic { if
			:: st[i] == HELD -> counter = t; take_slot(i); plan[i] = PAYMENT; st[i] = PLANNED;
				assert(st[1 - i] == HELD || st[1 - i] == CANCELLED || slot[0] != slot[1])
			:: else
			fi; t = 0 }; goto top
#else
	:: atomic { st[i] == HELD -> take_slot(i); plan[i] = PAYMENT; st[i] = PLANNED;
			assert(st[1 - i] == HELD || st[1 - i] == CANCELLED || slot[0] != slot[1]) }; goto top
#endif
	:: atomic { st[i] == PLANNED -> t = TX(i, plan[i]); sign(i, t) };
		if
		:: CRASH
#ifdef SEND_FIRST
		:: atomic { bring(t) }; if :: CRASH :: skip fi;
#else
		:: skip;
#endif
			atomic { if
				:: st[i] == PLANNED && plan[i] == t % 3 -> keep(t); newest[i] = plan[i]; st[i] = SIGNED
				:: else
				fi; t = 0 }; goto top
		fi
	/* Sending: that it begins is stored first; what the node answers, if it does, after. */
	:: atomic { (st[i] == SIGNED || (st[i] == UNKNOWN && !MINED && !(sent & BIT(TX(i, newest[i]))))) ->
			t = TX(i, newest[i]); st[i] = UNKNOWN };
		if
		:: CRASH
		:: atomic { bring(t); t = 0 };
			if
			:: CRASH
			:: atomic { st[i] == UNKNOWN -> st[i] = BROADCAST }; goto top
			fi
#ifdef VOID_ON_ERROR
		:: atomic { if :: !ENDED(i) -> release(i) :: else fi; t = 0 }; goto top
		:: atomic { bring(t) }; atomic { if :: !ENDED(i) -> release(i) :: else fi; t = 0 }; goto top
#endif
#ifdef NEW_NONCE
		:: atomic { if
			:: t == TX(i, PAYMENT) && st[i] == UNKNOWN && counter < 3 ->
				bring(t); nonce[TX(i, DEARER)] = counter; counter++; plan[i] = DEARER; st[i] = PLANNED
			:: else
			fi; t = 0 }; goto top
#endif
		fi
	/* In the pool, or said to be: found again, or waiting for too long. */
	:: atomic { st[i] == UNKNOWN && !MINED && (sent & BIT(TX(i, newest[i]))) -> st[i] = BROADCAST }; goto top
	:: atomic { st[i] == BROADCAST && newest[i] < CANCELLATION && !MINED -> st[i] = STUCK }; goto top
	/* The next attempt: same nonce, and its plan is stored before anything is signed. */
	:: atomic { st[i] == STUCK && newest[i] == PAYMENT -> plan[i] = DEARER; st[i] = PLANNED }; goto top
	:: atomic { st[i] == STUCK -> plan[i] = CANCELLATION; st[i] = PLANNED }; goto top
	/* Observing: node and watcher are asked, then the row moves if it is as it was. */
	:: atomic { (st[i] == SIGNED || st[i] == UNKNOWN || st[i] == BROADCAST || st[i] == STUCK) && MINED -> s = st[i] };
		atomic { if :: st[i] == s -> st[i] = CONFIRMING :: else fi; s = 0 }; goto top
	:: atomic { st[i] == CONFIRMING && !MINED -> s = CONFIRMING };
		atomic { if :: st[i] == s -> st[i] = UNKNOWN :: else fi; s = 0 }; goto top
#ifdef POST_EARLY
	:: atomic { st[i] == CONFIRMING && (SEEN(PAYMENT) || SEEN(DEARER)) -> st[i] = POSTED; posts[i]++; CHECK }; goto top
#endif
	:: atomic { st[i] == CONFIRMING && (AGREED(PAYMENT) || AGREED(DEARER)) -> s = CONFIRMING };
		atomic { if :: st[i] == s -> st[i] = DEEP :: else fi; s = 0 }; goto top
	/* The end: the ledger's transaction reads the watcher's row again and moves the intent. */
#ifdef POST_UNGUARDED
	:: atomic { st[i] == DEEP -> posts[i]++; CHECK }; if :: CRASH :: skip fi;
		atomic { st[i] = POSTED }; goto top
#else
	:: atomic { st[i] == DEEP && (VIEWED(PAYMENT) || VIEWED(DEARER)) -> st[i] = POSTED; posts[i]++; CHECK }; goto top
#endif
#ifdef VOID_EARLY
	:: atomic { st[i] == CONFIRMING && SEEN(CANCELLATION) -> release(i) }; goto top
#endif
	:: atomic { st[i] == CONFIRMING && AGREED(CANCELLATION) -> s = CONFIRMING };
		atomic { if :: st[i] == s && VIEWED(CANCELLATION) -> release(i) :: else fi; s = 0 }; goto top
	fi;
done:	skip
}

/* A customer may change their mind while funds are only held. */
proctype customer(byte i) {
end:
#ifdef CANCEL_UNGUARDED
	atomic { st[i] == HELD -> skip };
	atomic { release(i) }
#else
	atomic { st[i] == HELD -> release(i) }
#endif
}

/* The watcher copies the chain into the database, whenever it gets to it. */
#define SAME(t) (view[t] == depth[t])
proctype watcher() {
	byte t;
end:	do
	:: atomic { !(SAME(0) && SAME(1) && SAME(2) && SAME(3) && SAME(4) && SAME(5)) ->
		for (t : 0 .. 5) { view[t] = depth[t] } t = 0 }
	od
}

#define READY(t) ((sent & BIT(t)) && depth[t] == 0 && nonce[t] == used)
#define ANY_READY (READY(0) || READY(1) || READY(2) || READY(3) || READY(4) || READY(5))
#define RECENT(t) (depth[t] > 0 && depth[t] < FINAL_DEPTH)
#define ANY_RECENT (RECENT(0) || RECENT(1) || RECENT(2) || RECENT(3) || RECENT(4) || RECENT(5))

inline deepen(t) {
	if
	:: RECENT(t) -> depth[t]++; if :: depth[t] == FINAL_DEPTH -> fixed++ :: else fi
	:: else
	fi
}

/* The chain: a block with any of what may be in it, or a branch that replaces the
   newest one or two blocks and is longer. */
proctype chain() {
	byte t;
	byte k;
end:	do
	:: atomic { (ANY_READY || ANY_RECENT) ->
		for (t : 0 .. 5) { deepen(t) }
		do
		:: READY(0) -> depth[0] = 1; used++
		:: READY(1) -> depth[1] = 1; used++
		:: READY(2) -> depth[2] = 1; used++
		:: READY(3) -> depth[3] = 1; used++
		:: READY(4) -> depth[4] = 1; used++
		:: READY(5) -> depth[5] = 1; used++
		:: break
		od;
		t = 0; CHECK }
	:: atomic { ANY_RECENT ->
		select (k : 1 .. FINAL_DEPTH - 1);
		for (t : 0 .. 5) {
			if
			:: depth[t] > 0 && depth[t] <= k -> depth[t] = 0; used--
			:: else -> deepen(t)
			fi }
		t = 0; k = 0; CHECK }
	od
}

/* When nothing can happen any more, all must have come to the end that the chain
   says, and no nonce may be left over. */
#define SETTLED(i) (ENDED(i) && posts[i] + voids[i] == 1 && (posts[i] == 1) == PAID_FOR_GOOD(i))
proctype audit() {
	timeout -> assert(SETTLED(0) && SETTLED(1) && counter == used)
}

init {
	byte t;
	atomic {
		for (t : 0 .. 5) { nonce[t] = NOBODY } t = 0;
		run worker(0); run customer(0);
#ifdef LATE
		run worker(0); st[1] = CANCELLED; voids[1] = 1; /* one withdrawal, and a second worker that comes late */
#else
		run worker(1); run customer(1);
#endif
		run watcher(); run chain();
#ifndef NO_AUDIT
		run audit()
#endif
	}
}
