package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"wackamole/conf"
	"wackamole/garp"
	"wackamole/internal/control"
	"wackamole/internal/guard"
	"wackamole/internal/logger"
	"wackamole/internal/node"
	"wackamole/rtnl"
	"wackamole/spreadproto"
)

// runDaemon is what the program is for.
func runDaemon(o options, stdout, stderr io.Writer) int {
	c, err := load(o, stderr)
	if err == nil {
		_, err = spreadproto.ParseAddress(o.spreadOf(c))
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitUsage
	}
	log := logger.New(logger.NewWriter(stdout))
	if !o.foreground {
		log.Warningf("staying in the foreground, as with -d: this version does not detach")
	}
	// The first signal ends the daemon in good order, a second one at once.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT)
	defer stop()
	context.AfterFunc(ctx, stop)
	signal.Ignore(syscall.SIGPIPE)
	if err := serve(ctx, o, c, log); err != nil {
		log.Errorf("%v", err)
		fmt.Fprintf(stderr, "wackamole: %v\n", err)
		return exitFailure
	}
	return exitDone
}

// serve opens the ways to the kernel and the network, and runs a node on them
// until ctx ends.
func serve(ctx context.Context, o options, c *conf.Config, log *logger.Logger) error {
	kernel, err := rtnl.Dial(rtnl.Options{Notice: func(line string) { log.Printf("%s", line) }})
	if err != nil {
		return err
	}
	defer kernel.Close()
	watcher, err := kernel.Watch()
	if err != nil {
		return err
	}
	defer watcher.Close()
	sockets := garp.NewSockets()
	defer sockets.Close()
	announcer := garp.New(sockets, log.Warningf)
	lost := make(chan bool, 1)
	watchman, err := guard.Start(guard.Options{
		Name:    c.Group,
		Lost:    func(released bool) { lost <- released },
		Waiting: func() { log.Printf("waiting for an earlier wackamole's guard to release its addresses") },
	})
	if err != nil {
		log.Errorf("no guard: if this process is killed, its addresses stay on this host: %v", err)
		lost <- false // have the node try again
	}
	n := node.New(node.Options{
		Config: c, Spread: o.spreadOf(c), User: o.userName(), Address: o.address,
		Program: "wackamole " + Version, Log: log,
		Doors: node.Doors{
			Dial: func(ctx context.Context, name, user string) (node.Conn, error) {
				return spreadproto.Dial(ctx, name, spreadproto.Options{User: user, Membership: true, Logf: log.Printf})
			},
			Lookup: node.SystemLookup, Kernel: kernel, Watch: watcher.Events(),
			Announcer: announcer, Guard: watchman, GuardLost: lost,
		},
	})
	if o.spread != "" && c.SpreadAt != (conf.Position{}) && o.spread != c.Spread {
		log.Printf("Spread is at %s as the command line says, not at %s as %v does", o.spread, c.Spread, c.SpreadAt)
	}
	if c.Control != "" {
		l, err := control.Listen(c.Control)
		if err != nil {
			return err
		}
		served := make(chan struct{})
		go func() { defer close(served); control.Serve(ctx, l, n, control.Options{Log: log}) }()
		defer func() { <-served }()
	}
	go listen(ctx, o, n, log)
	return n.Run(ctx)
}

// listen carries out what signals ask for while the daemon runs: SIGHUP reloads
// the configuration, SIGUSR1 writes the state to the log.
func listen(ctx context.Context, o options, n *node.Node, log *logger.Logger) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1)
	defer signal.Stop(signals)
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case s := <-signals:
			if s == syscall.SIGUSR1 {
				err = n.LogState(ctx)
			} else {
				err = reload(ctx, o, n, log)
			}
		}
		if err != nil && ctx.Err() == nil {
			log.Errorf("%v", err)
		}
	}
}

// reload takes over a changed configuration. One with errors changes nothing.
func reload(ctx context.Context, o options, n *node.Node, log *logger.Logger) error {
	var said bytes.Buffer
	c, err := load(o, &said)
	for line := range strings.Lines(said.String()) {
		log.Warningf("%s", strings.TrimSpace(line))
	}
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			log.Errorf("%s", strings.TrimSpace(line))
		}
		return errors.New("the configuration has errors: nothing is changed")
	}
	return n.Reload(ctx, c, o.spreadOf(c))
}

// spreadOf is where the Spread daemon is: the flag's word counts more than the
// configuration's.
func (o options) spreadOf(c *conf.Config) string {
	if o.spread != "" {
		return o.spread
	}
	return c.Spread
}

// userName is the private name to ask Spread for: wack and the last six digits of
// the process id, so that it fits 10 characters.
func (o options) userName() string {
	if o.user != "" {
		return o.user
	}
	pid := strconv.Itoa(os.Getpid())
	return "wack" + pid[max(0, len(pid)-6):]
}
