// Soak runs a cluster of real wackamole processes on this machine and does to it what happens to routers, for as
// long as asked for, and judges from outside whether the cluster keeps its promise: each virtual address is
// answered for by one host and only one, once it is quiet. It needs no root where user namespaces are allowed and
// touches nothing of the machine; package lab tells how.
//
//	soak [-for TIME] [-rounds N] [-seed N] [-nodes N] [-only FAULT,...] [-logs] WACKAMOLE
//	soak -takeovers N WACKAMOLE
//
// The model. A planner draws rounds of faults from a seed, which is printed: the same seed brings the same rounds.
// A round is one fault or up to three that do not get in each other's way; each strikes, lasts, and is healed. Then,
// and for a round of one fault also before it is healed, soak waits until it is quiet, two minutes at most, and
// goes on only when all of this holds and stays so:
//
//   - each address is answered by one host, at the interface that the configuration names, and the addresses of
//     one virtual interface by the same one; addresses that are not configured are answered by nobody;
//   - hosts hold equally many virtual interfaces, give or take one;
//   - the tables that the members tell (wackatrl -j) are equal, say the same as the answers, and say held where the
//     kernel has the addresses, with the right prefix, and nowhere else;
//   - the addresses of the hosts that are not wackamole's are all there: in the networks of virtual addresses too,
//     where the kernel takes a secondary away with its primary;
//   - each daemon has one guard that is alive, and no more descriptors and goroutines than at first.
//
// How long addresses were unanswered or answered twice meanwhile is printed, and is no verdict. The faults, and what
// must hold beside what was just said:
//
//	kill daemon         while it lasts: the host holds nothing, the others everything
//	kill guard          while it lasts: as ever, with another guard
//	kill both           nobody is left to release; the next start of the daemon does
//	terminate           status 0; while it lasts: the host holds nothing, the others everything
//	stop daemon         SIGSTOP shorter than the guard waits
//	stop daemon long    while it lasts: the guard has released what the host held, the others hold everything
//	stop guard          while it lasts: as ever, with another guard
//	stop machine        daemon, guard, network and Spread at once; while it lasts: the others hold everything
//	wackatrl -f         while it lasts: the host holds nothing, the others everything; -s ends it
//	reload              while it lasts: another list, with a changed prefix, holds everywhere
//	stop Spread         the node's daemon cuts and refuses; while it lasts: the host holds nothing, the others all
//	hang Spread         the node's daemon stands still, unnoticed
//	hang Spread long    so long that its ring goes on without it; while it lasts: the same as stop Spread, in the end
//	split               of network and Spread; while it lasts: each part holds everything
//	cut switch port     nothing passes, the carrier stays
//	no carrier          for 0.2 to 2 s
//	no carrier long     for 4 to 8 s; while it lasts: the member has left, the others hold everything
//	interface down      by an administrator, for 0.2 to 2 s
//	interface down long for 4 to 6 s; while it lasts: the member has left, the others hold everything
//	interface gone      with its addresses, for 0.1 to 2 s; another of the same name comes back
//	interface gone long for 4 to 6 s; while it lasts: the member has left, the others hold everything
//	queue full          the daemon's frames are refused (ENOBUFS), an address is removed; while it lasts: as ever
//	neighbours          4,100 permanent entries in the neighbour table; while it lasts: as ever
//	address removed     a virtual one, behind the daemon's back; while it lasts: as ever
//	addresses flushed   all of an interface, the host's own too; while it lasts: as ever, but for those
//	other prefix        a virtual address removed and added with another prefix
//	prefix twice        a virtual address added with another prefix beside
//	own addresses anew  the host's own are removed and added behind the virtual ones
//	/run read-only      what runs goes on, as ever; a daemon that is started then says why it ends
//	disk full           the same; the last start has a log that takes nothing
//	several at once     two or three of these
//
// What cannot be done here. A neighbour table that is full (gc_thresh3): its bound and its count are the whole
// machine's, and filling it would take the machine off its network. The daemon sends frames of its own making and
// needs no entry, and answers to requests are the kernel's. A clock that jumps: no namespace has a calendar clock of
// its own; a test here sees that no part of the daemon reads it, the log's time stamps aside.
//
// With -takeovers a daemon with fifty addresses gives all of them to a partner, which this program plays, and takes
// them back, again and again, with disturbances in between. Descriptors and goroutines may not grow, anonymous memory
// by a fifth after the first tenth, where that is a thousand take-overs; neither may its guard's.
package main
