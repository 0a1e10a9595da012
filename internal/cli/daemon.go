package cli

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"wackamole/conf"
	"wackamole/internal/context"
	"wackamole/internal/daemonize"
	"wackamole/internal/fmt"
	"wackamole/internal/hook"
	"wackamole/internal/logger"
	"wackamole/internal/rundir"
	"wackamole/spreadproto"
)

// daemon is the process around a node: where it logs and who waits for it.
type daemon struct {
	options    options
	directory  string // where it was started; relative names count from there
	log        *logger.Logger
	syslog     *logger.Syslog // nil in front of a person
	background *daemonize.Daemon
	supervisor *daemonize.Notifier
}

// runDaemon is what the program is for.
func runDaemon(o options, stdout, stderr io.Writer) int {
	d := &daemon{options: o}
	if !o.foreground && !o.supervised {
		background, status, done := daemonize.Start(os.Args, stderr)
		if done {
			return status
		}
		d.background, stderr = background, background
	}
	d.supervisor = daemonize.NewNotifier()
	if err := d.run(stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "%v\n", err)
		if d.log != nil {
			d.log.Errorf("%v", err)
			d.closeLog()
		}
		var problems conf.Problems
		if errors.As(err, &problems) && d.background == nil {
			return exitUsage
		}
		return exitFailure
	}
	d.closeLog()
	return exitDone
}

// run reads the configuration, claims what belongs to one process alone, and
// serves until it is told to end.
func (d *daemon) run(stdout, stderr io.Writer) error {
	var err error
	if d.directory, err = rundir.Absolute("."); err != nil {
		return err
	}
	if d.options.file, err = rundir.Absolute(d.options.configFile()); err != nil {
		return err
	}
	c, err := loadAll(d.options, d.directory, stderr)
	if err != nil {
		return err
	}
	if _, err := spreadproto.ParseAddress(d.options.spreadOf(c)); err != nil {
		return err
	}
	if err := hook.CheckPerl(context.Background(), c, d.directory); err != nil {
		fmt.Fprintf(stderr, "warning: %v\n", err) // no reason to hold no addresses
	}
	if d.options.foreground {
		d.log = logger.New(logger.NewWriter(stdout))
	} else {
		d.syslog = logger.NewSyslog(logger.DevLog, "wackamole", os.Getpid(), logger.Daemon)
		d.log = logger.New(d.syslog)
		d.setFacility(c)
	}
	if path := d.options.pidFile; path != "" || d.background != nil {
		if path == "" {
			path = daemonize.DefaultPIDFile
		}
		pid, err := daemonize.ClaimPIDFile(path)
		if err != nil {
			return err
		}
		defer pid.Remove()
	}
	ctx, stop := untilEnd()
	defer stop()
	signal.Ignore(syscall.SIGPIPE)
	return d.serve(ctx, c)
}

// ready is called when everything is open: whoever started the daemon may go on.
func (d *daemon) ready() {
	d.report(d.background.Ready())
	d.report(d.supervisor.Ready())
}

func (d *daemon) report(err error) {
	if err != nil {
		d.log.Warningf("%v", err)
	}
}

// setFacility follows LogFacility, which the configuration has checked.
func (d *daemon) setFacility(c *conf.Config) {
	if d.syslog == nil {
		return
	}
	if f, err := logger.ParseFacility(c.LogFacility); err == nil {
		d.syslog.SetFacility(f)
	}
}

func (d *daemon) closeLog() {
	if d.syslog != nil {
		d.syslog.Close(time.Second)
	}
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
