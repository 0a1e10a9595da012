package hook

import (
	"net/netip"
	"slices"
)

// queue orders events: those of one virtual interface one after the other, those of different ones in
// any order, a "post" event after all "on" events that came before it. It is bounded by the number of
// virtual interfaces: of each, one event may be running and at most two wait, an up and a down. What
// would be more replaces those that it makes moot, so that the last event that runs is always the last
// one that came.
type queue struct {
	number     uint64 // of the last event
	lines      map[netip.Addr]*line
	ready      []*line // with an event to run and none running, the longest waiting first
	unfinished int     // "on" events that wait or run

	posts       []post // waiting, at most one of each kind
	postRunning bool
}

// line is the queue of one virtual interface.
type line struct {
	key     netip.Addr
	waiting []job // at most two
	running bool
}

// job is an event and its place in the order of all.
type job struct {
	change
	number uint64
}

// post is a waiting "post" event.
type post struct {
	job
	waitsFor int // "on" events before it that are not finished
}

// push adds an event and returns how many older ones it made moot.
func (q *queue) push(e change) (dropped int) {
	q.number++
	j := job{change: e, number: q.number}
	if e.isPost() {
		before := len(q.posts)
		q.posts = slices.DeleteFunc(q.posts, func(p post) bool { return p.Kind == e.Kind })
		dropped = before - len(q.posts)
		q.posts = append(q.posts, post{job: j, waitsFor: q.unfinished})
		return dropped
	}
	l := q.lines[e.key()]
	if l == nil {
		if q.lines == nil {
			q.lines = make(map[netip.Addr]*line)
		}
		l = &line{key: e.key()}
		q.lines[l.key] = l
	}
	wasWaiting := len(l.waiting) > 0
	// Up, down, up: what waits becomes the last up alone. Up, up: the later one has the news.
	for n := len(l.waiting); n > 0 && (n == 2 || l.waiting[n-1].Kind == e.Kind); n = len(l.waiting) {
		q.finished(l.waiting[n-1].number)
		l.waiting = l.waiting[:n-1]
		dropped++
	}
	l.waiting = append(l.waiting, j)
	q.unfinished++
	if !wasWaiting && !l.running {
		q.ready = append(q.ready, l)
	}
	return dropped
}

// next returns the event to run next. The caller calls done when it has run.
func (q *queue) next() (job, bool) {
	if len(q.posts) > 0 && q.posts[0].waitsFor == 0 && !q.postRunning {
		j := q.posts[0].job
		q.posts = q.posts[1:]
		q.postRunning = true
		return j, true
	}
	if len(q.ready) == 0 {
		return job{}, false
	}
	l := q.ready[0]
	q.ready = q.ready[1:]
	j := l.waiting[0]
	l.waiting = append(l.waiting[:0], l.waiting[1:]...)
	l.running = true
	return j, true
}

// runnable is how many events next would return one after the other.
func (q *queue) runnable() int {
	n := len(q.ready)
	if len(q.posts) > 0 && q.posts[0].waitsFor == 0 && !q.postRunning {
		n++
	}
	return n
}

// done says that an event of next has run.
func (q *queue) done(j job) {
	if j.isPost() {
		q.postRunning = false
		return
	}
	q.finished(j.number)
	l := q.lines[j.key()]
	l.running = false
	if len(l.waiting) > 0 {
		q.ready = append(q.ready, l)
	} else {
		delete(q.lines, l.key)
	}
}

// finished says that the "on" event of this number will hold up nobody any more.
func (q *queue) finished(number uint64) {
	q.unfinished--
	for i := range q.posts {
		if q.posts[i].number > number {
			q.posts[i].waitsFor--
		}
	}
}

// drop removes the waiting events that match and returns how many there were.
func (q *queue) drop(match func(change) bool) (dropped int) {
	for key, l := range q.lines {
		l.waiting = slices.DeleteFunc(l.waiting, func(j job) bool {
			if !match(j.change) {
				return false
			}
			q.finished(j.number)
			dropped++
			return true
		})
		if len(l.waiting) == 0 && !l.running {
			delete(q.lines, key)
		}
	}
	q.ready = slices.DeleteFunc(q.ready, func(l *line) bool { return len(l.waiting) == 0 })
	before := len(q.posts)
	q.posts = slices.DeleteFunc(q.posts, func(p post) bool { return match(p.change) })
	return dropped + before - len(q.posts)
}

// empty says that nothing waits or runs.
func (q *queue) empty() bool {
	return q.unfinished == 0 && len(q.posts) == 0 && !q.postRunning
}
