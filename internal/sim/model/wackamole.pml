/*
 * The allocation of package alloc as a model that Spin searches exhaustively:
 * three members, three virtual interfaces, and a network that splits and merges at
 * the worst moments. check.sh runs it.
 *
 * Each pass through the loop at the end is one step of the cluster:
 *
 *   step       what happens                            in alloc
 *   order      a message gets its place in the order   Machine.message
 *     STATE      of its component and is delivered     stateReceived, claim, gathered
 *     MATURING   to all members there                  maturingReceived
 *     BALANCE                                          balanceReceived, reconcile
 *   mature     a Mature timer fires                    timerFired
 *   balance    a balance timer fires                   armBalance, balance, plan(1)
 *   view       a component gets the view that it is    newView, stateBody
 *              owed
 *   split      the network splits a component; both    -
 *              parts are owed a view and until then go
 *              on in the old one
 *   merge      two components become one and get a     newView, stateBody
 *              view; a view that they were owed never
 *              comes
 *   restart    a member is killed and comes back; the  reset, connected
 *              others see both in one view
 *
 * allocate() is Machine.allocate, run() is run and reconcile. Spread is modelled as
 * extended virtual synchrony: one order in each component, a sender's messages in
 * the order in which it sent them, what was not ordered before a view comes after
 * it. Members act on what is ordered at once. That loses nothing: a member that is
 * slow does and says the same, only later, and everything that it says may wait for
 * its place in the order as long as it likes. Not modelled: members that stay
 * silent, sets of addresses, changes of configuration.
 *
 * Checked after every step:
 *   - members of one view that have received the same messages have the same table;
 *   - none of them holds what another holds, and each holds what the table says;
 *   - who is not mature or not in a view yet holds nothing;
 *   - if nothing is under way, nobody waits for a STATE, and every virtual interface
 *     is held exactly once in each component.
 *
 * With -DORIGINAL the members are those of wackamole 2.1.4, which act on the
 * difference to the table of their last Run (old), let every conflict rewrite that,
 * and carry counts from owner to owner: Spin finds how they break.
 */

#ifndef SPLITS
#define SPLITS   2
#endif
#ifndef MERGES
#define MERGES   2
#endif
#ifndef RESTARTS
#define RESTARTS 0
#endif
#ifndef MATURE           /* members begin as mature as those of a settled cluster */
#define MATURE   0
#endif
#ifndef APART            /* each member begins in a component of its own */
#define APART    0
#endif
#ifndef PREFERS          /* member 2 prefers virtual interface 0 */
#define PREFERS  0
#endif
#ifndef ORDERS           /* 2: views list their members in either order */
#define ORDERS   1
#endif
#define N 3              /* members, virtual interfaces and components */
#define NOBODY 3
#define BOOT   0
#define GATHER 1
#define RUN    2
#define STATE    1
#define MATURING 2
#define BALANCE  3

typedef Member {
	byte state;
	bit  mature;
	bit  joined;         /* in the view of its component */
	byte owner[N];       /* the table */
	byte claim[N];       /* 0, 2, 4, 5 */
	byte held[N];        /* what the host holds: the claim, or 0 */
	byte answered;       /* members whose STATE has come, a bit each */
#ifdef ORIGINAL
	byte old[N];         /* owners as of the last Run */
	byte oldclaim[N];
	byte count[N];
#endif
};
Member m[N];

/* What a member has sent and is not ordered yet: type, then
 * STATE: view, mature, claims of the virtual interfaces 0, 1, 2; BALANCE: virtual interface, to */
chan out[N] = [4] of { byte, byte, byte, byte, byte, byte };

byte at[N];              /* the component of each member */
byte view[N];            /* of each component: id, */
byte list[N];            /* members, a bit each, */
bit  down[N];            /* in ascending or descending order, */
bit  owed[N];            /* and whether a new one is to come */
byte views, splits, merges, restarts;

/* variables of a step, forgotten at its end */
byte i, k, v, x, y, best, least, most, n, t, a, b, c0, c1, c2, c, d, q, s;
bit quiet, some;

#define IN(set, e) ((set) & (1 << (e)))
#define NTH(i) (down[at[x]] -> N - 1 - (i) : (i))   /* the i-th member in x's view */

inline clear() {
	for (v : 0 .. N - 1) { m[x].owner[v] = NOBODY; m[x].claim[v] = 0 }
}

/*
 * x gets the view of its component and multicasts STATE. What it had to say of
 * earlier views and nobody has received is forgotten: a STATE of another view is
 * ignored, and so is a BALANCE that comes before its sender's STATE.
 */
inline enter() {
	some = 0;
	do
	:: len(out[x]) > 0 -> out[x]?t, a, b, c0, c1, c2; some = some || t == MATURING
	:: else -> break
	od;
	if :: some -> out[x]!MATURING, 0, 0, 0, 0, 0 :: else fi;
#ifdef ORIGINAL
	if
	:: m[x].state == RUN -> for (v : 0 .. N - 1) { m[x].old[v] = m[x].owner[v]; m[x].oldclaim[v] = m[x].claim[v] }
	:: else
	fi;
	for (v : 0 .. N - 1) { m[x].count[v] = 0 }
	clear();
	c0 = (m[x].old[0] == x -> m[x].oldclaim[0] : 0);
	c1 = (m[x].old[1] == x -> m[x].oldclaim[1] : 0);
	c2 = (m[x].old[2] == x -> m[x].oldclaim[2] : 0);
	out[x]!STATE, view[at[x]], m[x].mature, c0, c1, c2;
#else
	clear();
	out[x]!STATE, view[at[x]], m[x].mature, m[x].held[0], m[x].held[1], m[x].held[2];
#endif
	m[x].answered = 0;
	m[x].joined = 1;
	m[x].state = GATHER
}

/* component c gets a view */
inline newView() {
	views++;
	view[c] = views;
	list[c] = 0;
	owed[c] = 0;
	for (x : 0 .. N - 1) {
		if :: at[x] == c -> list[c] = list[c] | (1 << x) :: else fi
	}
	for (x : 0 .. N - 1) {
		if :: at[x] == c -> enter() :: else fi
	}
}

/* n = how many rows of x's table y owns */
inline rowsOf(y) {
	n = 0;
	for (v : 0 .. N - 1) {
		if :: m[x].owner[v] == y && m[x].claim[v] != 0 -> n++ :: else fi
	}
}

/* x gives every row an owner */
inline allocate() {
	for (k : 0 .. N - 1) {
		if
		:: m[x].claim[k] == 4 ->
			m[x].claim[k] = 5;
#ifdef ORIGINAL
			y = m[x].owner[k];
			q = m[x].old[k];
			if
			:: y == x && q != x -> m[x].held[k] = 5
			:: y != x && q == x -> m[x].held[k] = 0
			:: else
			fi;
			if :: q != NOBODY && m[x].count[q] > 0 -> m[x].count[q] = m[x].count[q] - 1 :: else fi;
			m[x].count[y] = m[x].count[y] + 1
#endif
		:: else
		fi
	}
	for (k : 0 .. N - 1) {
		if
		:: m[x].claim[k] == 0 ->
			best = NOBODY;
			for (i : 0 .. N - 1) {
				y = NTH(i);
				if
				:: IN(list[at[x]], y) ->
#ifdef ORIGINAL
					n = m[x].count[y];
#else
					rowsOf(y);
#endif
					if :: best == NOBODY || n < least -> best = y; least = n :: else fi
				:: else
				fi
			}
			m[x].owner[k] = best;
			m[x].claim[k] = 2;
#ifdef ORIGINAL
			m[x].count[best] = m[x].count[best] + 1;
			if :: best == x -> m[x].held[k] = 2 :: else fi
#endif
		:: else
		fi
	}
}

/* x holds what the table gives it */
inline reconcile() {
	for (v : 0 .. N - 1) {
		m[x].held[v] = (m[x].owner[v] == x -> m[x].claim[v] : 0)
	}
}

inline enterRun() {
	allocate();
#ifndef ORIGINAL
	reconcile();
#endif
	m[x].state = RUN
}

/* x takes the claim q of member s on virtual interface v */
inline takeClaim() {
	if
	:: q == 0
	:: q != 0 && m[x].claim[v] == 0 -> m[x].owner[v] = s; m[x].claim[v] = q
	:: q != 0 && m[x].claim[v] == 2 && q == 5 ->         /* the earlier one loses */
		y = m[x].owner[v];
		m[x].owner[v] = s;
		m[x].claim[v] = 5;
		if :: y == x -> m[x].held[v] = 0 :: else fi;
#ifdef ORIGINAL
		m[x].count[y] = m[x].count[y] - 1;
		m[x].old[v] = s
#endif
	:: q != 0 && (m[x].claim[v] == 5 || m[x].claim[v] == q) -> /* the later one loses */
		if :: s == x -> m[x].held[v] = 0 :: else fi;
#ifdef ORIGINAL
		m[x].count[s] = m[x].count[s] - 1;
		m[x].old[v] = m[x].owner[v]
#endif
	:: else                                               /* preferred: decided in allocate */
	fi
}

/* x receives a STATE of s: view a, mature b, claims c0 c1 c2 */
inline stateReceived() {
	if
	:: a != view[at[x]] || m[x].state != GATHER
	:: else ->
		m[x].answered = m[x].answered | (1 << s);
#ifdef ORIGINAL
		m[x].count[s] = (c0 != 0) + (c1 != 0) + (c2 != 0);
#endif
		v = 0; q = c0; takeClaim();
		v = 1; q = c1; takeClaim();
		v = 2; q = c2; takeClaim();
		if
		:: PREFERS && s == 2 && m[x].claim[0] < 4 -> m[x].owner[0] = 2; m[x].claim[0] = 4
		:: else
		fi;
		if :: b -> m[x].mature = 1 :: else fi;
		if
		:: m[x].answered == list[at[x]] && m[x].mature -> enterRun()
		:: m[x].answered == list[at[x]] && !m[x].mature -> m[x].state = BOOT
		:: else
		fi
	fi
}

inline maturingReceived() {
	if
	:: m[x].mature
	:: !m[x].mature && m[x].state == BOOT -> m[x].mature = 1; enterRun()
	:: else -> m[x].mature = 1
	fi
}

/* the first member of x's view */
inline leader() {
	best = NOBODY;
	for (i : 0 .. N - 1) {
		y = NTH(i);
		if :: best == NOBODY && IN(list[at[x]], y) -> best = y :: else fi
	}
}

/* x receives a BALANCE of s: virtual interface a goes to b */
inline balanceReceived() {
	leader();
	if
	:: m[x].state == RUN && s == best && IN(list[at[x]], b) && m[x].owner[a] != b ->
#ifdef ORIGINAL
		if
		:: b == x -> m[x].held[a] = m[x].claim[a]
		:: b != x && m[x].owner[a] == x -> m[x].held[a] = 0
		:: else
		fi;
		m[x].owner[a] = b
#else
		m[x].owner[a] = b;
		reconcile()
#endif
	:: else
	fi
}

/* k goes from the fullest to the emptiest member of x's view; NOBODY: even already */
inline plan() {
	best = NOBODY; d = NOBODY; k = NOBODY; most = 0; least = 0;
	for (i : 0 .. N - 1) {
		y = NTH(i);
		if
		:: IN(list[at[x]], y) ->
			rowsOf(y);
			if :: d == NOBODY || n < least -> d = y; least = n :: else fi;
			some = 0;
			for (v : 0 .. N - 1) {
				if :: m[x].owner[v] == y && m[x].claim[v] == 2 -> some = 1 :: else fi
			}
			if :: some && (best == NOBODY || n > most) -> best = y; most = n :: else fi
		:: else
		fi
	}
	if
	:: best != NOBODY && most > least + 1 ->
		for (v : 0 .. N - 1) {
			if :: k == NOBODY && m[x].owner[v] == best && m[x].claim[v] == 2 -> k = v :: else fi
		}
	:: else
	fi
}

/* the message of s that is next in its component */
inline order() {
	out[s]?t, a, b, c0, c1, c2;
	for (x : 0 .. N - 1) {
		if
		:: at[x] == at[s] && m[x].joined && IN(list[at[x]], s) ->
			if
			:: t == STATE -> stateReceived()
			:: t == MATURING -> maturingReceived()
			:: t == BALANCE -> balanceReceived()
			fi
		:: else
		fi
	}
}

inline check() {
	quiet = 1;
	for (x : 0 .. N - 1) {
		quiet = quiet && !owed[at[x]] && empty(out[x]);
		q = m[x].held[0] + m[x].held[1] + m[x].held[2];
		assert(q == 0 || m[x].joined && m[x].mature);
		for (y : 0 .. N - 1) {
			if
			:: x < y && at[x] == at[y] && m[x].joined && m[y].joined ->
				assert(m[x].state == m[y].state);
				for (v : 0 .. N - 1) {
					assert(m[x].owner[v] == m[y].owner[v] && m[x].claim[v] == m[y].claim[v]);
					assert(m[x].state != RUN || !m[x].held[v] || !m[y].held[v])
				}
			:: else
			fi
		}
		for (v : 0 .. N - 1) {
			assert(m[x].state != RUN || (m[x].held[v] != 0) == (m[x].owner[v] == x))
		}
	}
	for (x : 0 .. N - 1) {
		if
		:: quiet -> /* every table is complete; with the above, every row is held once */
			assert(m[x].joined && m[x].state == (m[x].mature -> RUN : BOOT));
			for (v : 0 .. N - 1) {
				assert(!m[x].mature || m[x].owner[v] != NOBODY && at[m[x].owner[v]] == at[x])
			}
		:: else
		fi
	}
}

inline forget() {
	i = 0; k = 0; v = 0; x = 0; y = 0; best = 0; least = 0; most = 0; n = 0; t = 0; a = 0; b = 0;
	c0 = 0; c1 = 0; c2 = 0; c = 0; d = 0; q = 0; s = 0; quiet = 0; some = 0
}

inline balance() {
	leader();
	if
	:: best == x -> plan(); if :: k != NOBODY -> out[x]!BALANCE, k, d, 0, 0, 0 :: else fi
	:: else
	fi
}

/* member w goes into a component of its own */
inline split(w) {
	c = at[w];
	d = 0;
	do :: at[0] == d || at[1] == d || at[2] == d -> d++ :: else -> break od;
	view[d] = view[c]; list[d] = list[c]; down[d] = down[c];
	at[w] = d;
	owed[c] = 1; owed[d] = 1;
	splits++
}

/* component d becomes part of component c */
inline merge() {
	for (x : 0 .. N - 1) {
		if :: at[x] == d -> at[x] = c :: else fi
	}
	view[d] = 0; list[d] = 0; down[d] = 0; owed[d] = 0;
	merges++
}

inline restart(w) {
	x = w;
	do :: len(out[x]) > 0 -> out[x]?t, a, b, c0, c1, c2 :: else -> break od;
	clear();
	m[x].state = BOOT; m[x].mature = 0; m[x].joined = 0; m[x].answered = 0;
	for (v : 0 .. N - 1) {
		m[x].held[v] = 0;
#ifdef ORIGINAL
		m[x].old[v] = NOBODY; m[x].oldclaim[v] = 0; m[x].count[v] = 0
#endif
	}
	owed[at[x]] = 1;
	restarts++
}

#define ROOM (nfull(out[0]) && nfull(out[1]) && nfull(out[2]))
#define USED(p) (at[0] == p || at[1] == p || at[2] == p)

/* the steps of member w; o and p are the others */
#define MEMBER(w, o, p) \
	:: nempty(out[w]) -> d_step { s = w; order(); check(); forget() } \
	:: !m[w].mature && m[w].joined && nfull(out[w]) && !(out[w]??[MATURING,0,0,0,0,0]) -> \
		out[w]!MATURING, 0, 0, 0, 0, 0 \
	:: m[w].state == RUN && nfull(out[w]) && !(out[w]??[BALANCE,_,_,_,_,_]) -> d_step { x = w; balance(); forget() } \
	:: splits < SPLITS && (at[w] == at[o] || at[w] == at[p]) -> d_step { split(w); check(); forget() } \
	:: restarts < RESTARTS -> d_step { restart(w); check(); forget() }

/* the steps of component e */
#define COMPONENT(e) \
	:: owed[e] && ROOM -> d_step { c = e; down[e] = 0; newView(); check(); forget() } \
	:: ORDERS > 1 && owed[e] && ROOM -> d_step { c = e; down[e] = 1; newView(); check(); forget() }

/* the steps of components e and f */
#define PAIR(e, f) \
	:: merges < MERGES && USED(e) && USED(f) && ROOM -> \
		d_step { c = e; d = f; merge(); down[e] = 0; newView(); check(); forget() } \
	:: ORDERS > 1 && merges < MERGES && USED(e) && USED(f) && ROOM -> \
		d_step { c = e; d = f; merge(); down[e] = 1; newView(); check(); forget() }

init {
	d_step {
		for (x : 0 .. N - 1) {
			clear();
			m[x].mature = MATURE;
#ifdef ORIGINAL
			for (v : 0 .. N - 1) { m[x].old[v] = NOBODY }
#endif
		}
		for (x : 0 .. N - 1) {
			at[x] = (APART -> x : 0);
			owed[at[x]] = 1
		}
		forget()
	}
	do
	MEMBER(0, 1, 2)
	MEMBER(1, 0, 2)
	MEMBER(2, 0, 1)
	COMPONENT(0)
	COMPONENT(1)
	COMPONENT(2)
	PAIR(0, 1)
	PAIR(0, 2)
	PAIR(1, 2)
	od
}
