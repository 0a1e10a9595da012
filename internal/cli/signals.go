package cli

import (
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"wackamole/internal/context"
	"wackamole/internal/node"
)

// untilEnd returns a context that the first signal to end brings to its end; a
// second one ends the process at once.
func untilEnd() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT)
	go func() {
		select {
		case <-signals:
		case <-ctx.Done():
		}
		signal.Stop(signals)
		cancel()
	}()
	return ctx, cancel
}

// listen carries out what signals ask for while the daemon runs: SIGHUP reloads
// the configuration, SIGUSR1 writes the state to the log.
func (d *daemon) listen(ctx context.Context, n *node.Node) {
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
				err = d.reload(ctx, n)
			}
		}
		if err != nil && ctx.Err() == nil {
			d.log.Errorf("%v", err)
		}
	}
}

// reload takes over a changed configuration. One with errors changes nothing.
func (d *daemon) reload(ctx context.Context, n *node.Node) error {
	d.report(d.supervisor.Reloading())
	defer func() { d.report(d.supervisor.Ready()) }()
	var said strings.Builder
	c, err := loadAll(d.options, d.directory, &said)
	for line := range strings.Lines(said.String()) {
		d.log.Warningf("%s", strings.TrimSpace(line))
	}
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			d.log.Errorf("%s", strings.TrimSpace(line))
		}
		return errors.New("the configuration has errors: nothing is changed")
	}
	d.setFacility(c)
	setProcessors(c.Hooks)
	return n.Reload(ctx, c, d.options.spreadOf(c))
}
