package cli

import (
	"wackamole/conf"
	"wackamole/garp"
	"wackamole/internal/context"
	"wackamole/internal/control"
	"wackamole/internal/guard"
	"wackamole/internal/hook"
	"wackamole/internal/hosts"
	"wackamole/internal/node"
	"wackamole/rtnl"
	"wackamole/spreadproto"
)

// serve opens the ways to the kernel and the network, and runs a node on them
// until ctx ends.
func (d *daemon) serve(ctx context.Context, c *conf.Config) error {
	kernel, err := rtnl.Dial(rtnl.Options{Notice: func(line string) { d.log.Printf("%s", line) }})
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
	announcer := garp.New(sockets, d.log.Warningf)
	lost := make(chan bool, 1)
	watchman, err := guard.Start(guard.Options{
		Name:    c.Group,
		Lost:    func(released bool) { lost <- released },
		Notice:  func(line string) { d.log.Warningf("%s", line) },
		Waiting: func() { d.log.Printf("waiting for an earlier wackamole's guard to release its addresses") },
	})
	if err != nil {
		d.log.Errorf("no guard: if this process is killed, its addresses stay on this host: %v", err)
		lost <- false // have the node try again
	}
	setProcessors(c.Hooks)
	program := programMappings()
	n := node.New(node.Options{
		Config: c, Spread: d.options.spreadOf(c), User: d.options.userName(), Address: d.options.address,
		Program: "wackamole " + Version, Log: d.log,
		Doors: node.Doors{
			Dial: func(ctx context.Context, name, user string) (node.Conn, error) {
				return spreadproto.Dial(ctx, name, spreadproto.Options{User: user, Membership: true, Logf: d.log.Printf})
			},
			Lookup: hosts.Lookup, Kernel: kernel, Watch: watcher.Events(),
			Announcer: announcer, Guard: watchman, GuardLost: lost,
			Hooks: hook.New(c, d.directory, d.log),
			Rest:  func() { forget(program) },
		},
	})
	if d.options.spread != "" && c.SpreadAt != (conf.Position{}) && d.options.spread != c.Spread {
		d.log.Printf("Spread is at %s as the command line says, not at %s as %v does", d.options.spread, c.Spread, c.SpreadAt)
	}
	if c.Control != "" {
		l, err := control.Listen(c.Control)
		if err != nil {
			return err
		}
		served := make(chan struct{})
		go func() { defer close(served); control.Serve(ctx, l, n, control.Options{Log: d.log}) }()
		defer func() { <-served }()
	}
	go d.listen(ctx, n)
	context.AfterFunc(ctx, func() { d.report(d.supervisor.Stopping()) })
	d.ready()
	return n.Run(ctx)
}
