package hook

import (
	"net/netip"
	"sync"
	"time"

	"wackamole/conf"
	"wackamole/internal/context"
	"wackamole/internal/descriptors"
	"wackamole/internal/logger"
)

// parallel is how many children run side by side.
const parallel = 4

// maxOutputLines is how many lines of one run's output are logged.
const maxOutputLines = 100

// Runner runs the hooks of a plan. Its methods may be called by any goroutine.
type Runner struct {
	log          *logger.Logger
	directory    string // where the daemon was started
	limit, grace time.Duration
	parallel     int
	ctx          context.Context // of the children
	kill         context.CancelFunc

	mu       sync.Mutex
	plan     *plan
	queue    queue
	workers  int
	closed   bool
	idle     chan struct{} // closed once closed is set, the queue is empty and no worker is left
	failures uint64
	dropped  uint64
	limiter  logger.Limiter // of what is logged
}

// New returns a runner of the hooks that c names. Relative directories count from directory, where the
// daemon was started, also after a reload. All descriptors that this process has inherited are marked
// to be closed in children, those of hooks and any others.
func New(c *conf.Config, directory string, log *logger.Logger) *Runner {
	descriptors.CloseOnExec()
	r := &Runner{log: log, directory: directory, limit: Limit, grace: grace, parallel: parallel, idle: make(chan struct{})}
	r.plan = newPlan(c, directory)
	r.ctx, r.kill = context.WithCancel(context.Background())
	// A cluster of hundreds of addresses makes as many lines at once; no more than 20 a second go on.
	r.limiter = logger.Limiter{Burst: 500, Every: 50 * time.Millisecond}
	return r
}

// Configure takes over the hooks of another configuration, after a reload. Events that wait already run
// by the new one.
func (r *Runner) Configure(c *conf.Config) {
	p := newPlan(c, r.directory)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plan = p
}

// Failures returns how many hooks failed, and how many events were dropped because newer ones of the
// same virtual interface made them moot, or because there was no time left for them at the end.
func (r *Runner) Failures() (failed, dropped uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failures, r.dropped
}

// Run queues an event for the hooks that want it. It never blocks. The virtual interface, which must not
// change any more, is nil for PostUp and PostDown; owner is its owner's real address as the allocation
// table has it, invalid where there is none.
func (r *Runner) Run(kind conf.Event, v *conf.VirtualInterface, owner netip.Addr) {
	e := change{Kind: kind, Owner: owner}
	if v != nil {
		e.Interface = *v
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || len(r.plan.commands[e.Kind]) == 0 {
		return
	}
	if n := r.queue.push(e); n > 0 {
		r.dropped += uint64(n)
		r.say("dropped", (*logger.Logger).Warningf, "hooks are slow: %d events before %v did not run, it makes them moot", n, e)
	}
	r.startWorkers()
}

// startWorkers starts as many workers as have something to do. r.mu is held.
func (r *Runner) startWorkers() {
	for n := r.queue.runnable(); n > 0 && r.workers < r.parallel; n-- {
		r.workers++
		go r.work()
	}
}

// work runs events until there is none to run.
func (r *Runner) work() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		j, ok := r.queue.next()
		if !ok {
			break
		}
		commands := r.plan.commands[j.Kind]
		r.mu.Unlock()
		for i := range commands {
			r.runOne(&commands[i], j.change)
		}
		r.mu.Lock()
		r.queue.done(j)
		r.startWorkers() // more than one may have waited for this one
	}
	r.workers--
	r.closeIfIdle()
}

func (r *Runner) closeIfIdle() {
	if r.closed && r.workers == 0 && r.queue.empty() {
		select {
		case <-r.idle:
		default:
			close(r.idle)
		}
	}
}

// runOne runs one hook for one event.
func (r *Runner) runOne(cmd *command, e change) {
	if r.ctx.Err() != nil {
		r.count(&r.dropped)
		return
	}
	c := child{args: cmd.args, limit: r.limit, grace: r.grace, environment: e.environment()}
	if cmd.hook.Perl {
		c.input = e.appendPerl(nil)
	} else {
		c.input = e.appendJSON(nil)
	}
	lines := 0
	c.output = func(line string) {
		if lines++; lines <= maxOutputLines {
			r.limited("output", (*logger.Logger).Printf, "hook %s %v: %s", cmd.hook.Name(), e, line)
		}
	}
	var err error
	if c.path, err = cmd.resolve(); err == nil {
		err = c.run(r.ctx)
	}
	if more := lines - maxOutputLines; more > 0 {
		r.limited("output", (*logger.Logger).Printf, "hook %s %v: %d lines more", cmd.hook.Name(), e, more)
	}
	if err != nil {
		r.count(&r.failures)
		r.limited("failure", (*logger.Logger).Warningf, "hook %s %v failed: %v", cmd.hook.Name(), e, err)
	}
}

func (r *Runner) count(n *uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*n++
}

// limited is say for those who do not hold r.mu.
func (r *Runner) limited(kind string, write func(*logger.Logger, string, ...any), format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.say(kind, write, format, args...)
}

// say logs a line unless there were too many of its kind. r.mu is held.
func (r *Runner) say(kind string, write func(*logger.Logger, string, ...any), format string, args ...any) {
	if ok, suppressed := r.limiter.Allow(kind, time.Now()); ok {
		write(r.log, format+"%s", append(args, logger.Suppressed(suppressed))...)
	}
}

// Drain ends the runner: it takes no more events, lets those that wait run, but for "up" ones, which
// are moot, and returns when all have run. After limit what waits is dropped and what runs is ended, for
// which it gets two seconds before it is killed.
func (r *Runner) Drain(limit time.Duration) {
	r.mu.Lock()
	r.closed = true
	r.dropped += uint64(r.queue.drop(change.isUp))
	r.startWorkers() // for a "post" event that waited for one of these
	r.closeIfIdle()
	r.mu.Unlock()
	select {
	case <-r.idle:
		return
	case <-time.After(limit):
	}
	r.mu.Lock()
	n := r.queue.drop(func(change) bool { return true })
	r.dropped += uint64(n)
	r.closeIfIdle()
	r.mu.Unlock()
	if n > 0 {
		r.log.Warningf("no more time for hooks: %d events did not run", n)
	}
	r.kill()
	<-r.idle
}
