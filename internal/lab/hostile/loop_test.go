package hostile

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"wackamole/internal/lab"
)

// pause makes some 400 views a second.
const pause = 5 * time.Millisecond * slower

// Hundreds of views by a member that joins and leaves: nobody releases anything in a view that does not come to
// an end, so nothing is unanswered.
func TestJoinLeaveLoop(t *testing.T) {
	joinLeaveLoop(t, balanceAll, false)
}

// Nor is it where the member answers, as long as nothing is balanced to it. (Where it is, that is unanswered while
// the member is there: see TestServesNothing.)
func TestAnswerInALoop(t *testing.T) {
	long(t)
	joinLeaveLoop(t, balanceNone, true)
}

func joinLeaveLoop(t *testing.T, settings string, answers bool) {
	turns := 200
	if testing.Short() {
		turns = 50
	}
	x := newTarget(t, settings)
	m := x.dial(1, First)
	if answers {
		Answer(m, lab.HostAddress(66), x.fingerprint)
	}
	lines, before := x.logged(1), x.metrics(1)
	x.watch()
	began := time.Now()
	must(t, JoinLeave(x.context(patience), m, turns, pause))
	took := time.Since(began)
	x.run(nodes)
	x.untouched("while it joins and leaves")
	views, more := x.metrics(1)["wackamole_views_total"]-before["wackamole_views_total"], x.logged(1)-lines
	t.Logf("%v views in %v, %d lines of log", views, took, more)
	if views < float64(2*turns) {
		t.Errorf("node 1 has seen %v views, want %d", views, 2*turns)
	}
	if more > 100+int(took.Seconds()) {
		t.Errorf("node 1 has logged %d lines", more)
	}
	x.settle()
}

// A node that leaves in the middle of such a loop: what it held is taken over in the first view that lasts long
// enough to be answered, at the latest when the loop has ended.
func TestLeaveInALoop(t *testing.T) {
	long(t)
	x := newTarget(t, balanceAll)
	m := x.dial(1, First)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	x.watch()
	go func() {
		var err error
		for err == nil {
			err = JoinLeave(ctx, m, 1, pause)
		}
		ended <- err
	}()
	_, err := x.Node(2).Stop(syscall.SIGTERM)
	must(t, err)
	time.Sleep(500 * time.Millisecond)
	_, views := m.View()
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	must(t, m.Close())
	x.answered(lab.PortSet(1, 3))
	x.others(2, "meanwhile")
	for _, o := range x.Prober.Outcomes() {
		if x.held[o.Address].Has(2) {
			t.Logf("%v: unanswered for %v of some %d views", o.Address, o.Unanswered, views)
		}
	}
	x.settle()
}

// A crowd of a hundred members that go by the real address of node 1 costs each node a bounded number of lines,
// and no address.
func TestCrowd(t *testing.T) {
	long(t)
	x := newTarget(t, balanceAll)
	lines := x.logged(1)
	x.watch()
	began := time.Now()
	crowd, err := Crowd(x.context(patience), x.Node(nodes).Host.SpreadPort(), "~", "wack1", 100)
	must(t, err)
	t.Cleanup(func() { Disperse(crowd) })
	for _, m := range crowd {
		_, err := m.AwaitJoined(x.context(patience), nodes+len(crowd))
		must(t, err)
		// In this view alone: five thousand answers to all the views would have Spread drop a slow node.
		Answer(m, lab.HostAddress(1), x.fingerprint)
		m.Answer(nil)
	}
	x.run(nodes + len(crowd))
	t.Logf("a hundred are in after %v", time.Since(began))
	Disperse(crowd)
	x.run(nodes)
	x.untouched("a crowd")
	x.settle()
	if n := x.logged(1) - lines; n > 250 {
		t.Errorf("node 1 has logged %d lines", n)
	}
}
