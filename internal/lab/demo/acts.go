package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"wackamole/internal/lab"
	"wackamole/internal/lab/cluster"
)

const (
	settled  = 1500 * time.Millisecond // an act has settled when nothing has changed for so long
	rest     = 1500 * time.Millisecond // after that, nothing may change for so long
	deadline = 20 * time.Second        // an act that has not settled by then has failed
)

// An act does something to the cluster and expects it to settle.
type act struct {
	name  string // at most 15 characters: a line of the tables
	title string
	do    func(c *cluster.Cluster, s *stage) error
}

// A result is what an act did to each address.
type result struct {
	name     string
	took     time.Duration // until it had settled, without the time of waiting for that
	outcomes []lab.Outcome
	rounds   lab.Rounds // how finely it was watched
}

// acts are the demo's, in order. With more than three nodes the rest only takes part.
var acts = []act{
	{"start", "three nodes start and share out the addresses", func(c *cluster.Cluster, s *stage) error {
		for _, n := range c.Nodes {
			if err := s.start(n); err != nil {
				return err
			}
		}
		return nil
	}},
	{"kill -9 node 1", "node 1 is killed (SIGKILL): its guard releases its addresses", func(c *cluster.Cluster, s *stage) error {
		return s.stop(c.Node(1), syscall.SIGKILL, "killed", "signal: killed")
	}},
	{"node 1 returns", "node 1 is started again and gets its share", func(c *cluster.Cluster, s *stage) error {
		return s.start(c.Node(1))
	}},
	{"TERM node 2", "node 2 leaves (SIGTERM)", func(c *cluster.Cluster, s *stage) error {
		return s.stop(c.Node(2), syscall.SIGTERM, "has left", "exit status 0")
	}},
	{"node 2 returns", "node 2 is started again and gets its share", func(c *cluster.Cluster, s *stage) error {
		return s.start(c.Node(2))
	}},
	{"split 3 | 1 2", "the network splits: node 3 on one side, the others on the other", func(c *cluster.Cluster, s *stage) error {
		c.Split([]int{3})
		return nil
	}},
	{"merge", "the network is whole again", func(c *cluster.Cluster, s *stage) error {
		c.Merge()
		return nil
	}},
}

// playOnce plays all acts on a new cluster. The results are those of the acts up to the one that failed.
func playOnce(o cluster.Options, logs bool) (results []result, err error) {
	s := newStage(os.Stdout, o)
	o.Mature = time.Second
	o.Settings = "Balance {\n\tAcquisitionsPerRound = all\n}\nNotify arp-cache"
	o.Changed = s.changed
	c, err := cluster.New(o)
	if err != nil {
		return nil, err
	}
	defer func() {
		s.close()
		if err != nil || logs {
			printLogs(c)
		}
		err = errors.Join(err, c.Close())
	}()
	s.open(c)
	for _, a := range acts {
		r, err := s.play(c, a)
		results = append(results, r)
		if err != nil {
			return results, fmt.Errorf("%s: %w", a.name, err)
		}
	}
	return results, s.leave(c)
}

// play plays one act and watches for a while what comes after it.
func (s *stage) play(c *cluster.Cluster, a act) (result, error) {
	s.say(a.title)
	c.Prober.Begin()
	began := time.Now()
	err := a.do(c, s)
	if err == nil {
		err = s.settle(c)
	}
	took := time.Since(began) - settled
	r := result{name: a.name, took: took, outcomes: c.Prober.Outcomes(), rounds: c.Prober.Rounds()}
	if err != nil {
		return r, errors.Join(err, complaints(r.outcomes, holdsOne))
	}
	c.Prober.Begin()
	time.Sleep(rest)
	if err := complaints(c.Prober.Outcomes(), holdsStill); err != nil {
		return r, fmt.Errorf("after it had settled: %w", err)
	}
	if err := c.Leftovers(); err != nil {
		return r, err
	}
	s.say("  " + r.String())
	return r, nil
}

// settle waits until the cluster is quiet and the addresses are shared out evenly.
func (s *stage) settle(c *cluster.Cluster) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if err := c.Prober.WaitSteady(ctx, settled, c.Balanced); err != nil {
		return fmt.Errorf("not settled, with each address answered once and all shared out evenly, within %v", deadline)
	}
	return nil
}

// leave ends all nodes and sees that no address stays behind.
func (s *stage) leave(c *cluster.Cluster) error {
	for _, n := range c.Nodes {
		if err := s.stop(n, syscall.SIGTERM, "has left", "exit status 0"); err != nil {
			return err
		}
	}
	return c.Leftovers()
}

func (s *stage) start(n *cluster.Node) error {
	err := n.Start()
	s.mark(n, "")
	return err
}

func (s *stage) stop(n *cluster.Node, signal syscall.Signal, mark, want string) error {
	how, err := n.Stop(signal)
	if err == nil && how != want {
		err = fmt.Errorf("node %d ended with %s, not with %s", n.Number, how, want)
	}
	s.mark(n, mark)
	return err
}

// holdsOne and holdsStill say what is wrong with an outcome, "" for nothing.
func holdsOne(o lab.Outcome) string {
	switch o.Last.Count() {
	case 0:
		return "nobody answers"
	case 1:
		return ""
	}
	return fmt.Sprintf("nodes %v answer", o.Last)
}

func holdsStill(o lab.Outcome) string {
	if !o.Touched() {
		return holdsOne(o)
	}
	return fmt.Sprintf("unanswered %v, answered twice %v, holder %v, then %v", o.Unanswered, o.Twice, o.First, o.Last)
}

// complaints joins what is wrong, by address and part of the network.
func complaints(outcomes []lab.Outcome, wrong func(lab.Outcome) string) error {
	var problems []error
	for _, o := range outcomes {
		if text := wrong(o); text != "" {
			problems = append(problems, fmt.Errorf("%v in the part with nodes %v: %s", o.Address, o.Component, text))
		}
	}
	return errors.Join(problems...)
}

// printLogs shows what the nodes said last.
func printLogs(c *cluster.Cluster) {
	for _, n := range c.Nodes {
		fmt.Printf("\nlast lines of node %d:\n", n.Number)
		for _, line := range n.Lines() {
			fmt.Printf("  %s\n", line)
		}
	}
}
