// Package hostile is a member of a wackamole group that keeps none of the rules, one function for each way to
// misbehave, and the tests that let it loose on a cluster of real wackamole processes in the lab.
//
// It is a client of the lab's Spread daemon like any other: what a process can do that has access to the group.
// The protocol knows no authentication, so such a process can do what an honest member could do by mistake or by
// configuration, and take addresses from everybody as one that prefers them all does. What it cannot do is have an
// address held twice in the end, make anybody keep one, crash or grow without bound, or fill the log with what it
// says; and what it took comes back as soon as it is gone.
//
// What an honest cluster does, watched by the prober from outside at every moment, and the tests that show it:
//
//	misbehaviour                          what the others do                                     test
//	floods: short, long, wrong byte       ignore, count, log ten lines of a kind and then one    TestFlood
//	  order, unknown types, MATURING        in 10 s; nothing moves, memory stays, a node that
//	                                        leaves or comes is seen at once (note)
//	lies about its index, counts,         ignore and count each; go on waiting for its STATE     TestLies
//	  lengths, claims, address; to others
//	claims what nobody knows, or twice    such claims do not count, its STATE is an answer       TestLies
//	a second STATE in one view            ignore and count, unread                               TestLies
//	speaks without being a member         ignore and count                                       TestStranger
//	sends what looks like a view          data of an unknown type: ignore and count              TestForgedViews
//	claims and prefers everything         give it everything: it may be honest. All released     TestClaimsEverything
//	                                        within milliseconds, all held again when it goes
//	answers and serves nothing            give it its share, as any member; back when it goes    TestServesNothing
//	goes by another's real address        only the first of the two in the view takes part;      TestSameRealAddress
//	                                        an honest second releases
//	a hundred members by one address      a line each, no address moves                          TestCrowd
//	BALANCE that is not its to send,      ignore; count unless a view is on its way              TestBalance
//	  not in RUN, cut short
//	BALANCE to no member, of unknown      those moves are left out and counted                   TestLeader
//	  keys, to the present owner
//	leads and moves everything about      do as told, and log it: it is the leader's to say      TestLeader
//	joins and leaves in a loop, answers   holders keep what they hold through all views: nothing TestJoinLeaveLoop,
//	  or not                                moves or is unanswered; sixty lines of log at once,  TestAnswerInALoop
//	                                        then one a second
//	the same, and a node leaves           its addresses are taken over in the first view that    TestLeaveInALoop
//	                                        lasts long enough to be answered
//	is silent after a view                holders keep what they hold; after 20 s go on without  TestSilent
//	                                        it and give it nothing; its late STATE is counted
//	stands still (a node, SIGSTOP)        its guard releases after 10 s and ends its session:    TestHung
//	                                        the others take over at once, never two; on SIGCONT
//	                                        it joins anew
//	says that all others are silent       who is named releases and joins anew, until it goes    TestExpel
//	lies about its neighbours             only single hosts in the networks of the virtual       TestNeighbours
//	                                        interfaces reach the pool, which is bounded
//
// Where one member of the view is an original, or says so, a silent one stops all of them for as long as it is
// there, as it stops originals: holders keep what they hold, what a member that leaves has held is not taken over.
// Package alloc tests that (script silent_original); it was seen with originals on Spread 4.4, too.
//
// Note. A daemon drops a client for which 1,000 messages wait. A real one paces who sends, and wackamole keeps
// up with what it lets through: with three daemons of version 4.4, 19,000 short messages a second, or 200 of
// 140,000 bytes. A member that is too slow for that is dropped. It releases everything when it has read what was on
// its way, some 50 ms in which the others have taken over already, and joins anew (TestFloodWithoutPace). TestFlood
// waits for the slowest node, since the daemon in package spreadd does not.
package hostile
