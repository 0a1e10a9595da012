package hook

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"wackamole/conf"
)

// words maps a letter to an event: u1 is "on up" of the first virtual interface, U is "post up".
func word(text string) change {
	kind := map[byte]conf.Event{'u': conf.OnUp, 'd': conf.OnDown, 'U': conf.PostUp, 'D': conf.PostDown}[text[0]]
	if len(text) == 1 {
		return event(kind, "")
	}
	return event(kind, "", "eth0:10.0.0."+text[1:]+"/24")
}

func wordOf(e change) string {
	letter := map[conf.Event]string{conf.OnUp: "u", conf.OnDown: "d", conf.PostUp: "U", conf.PostDown: "D"}[e.Kind]
	if e.isPost() {
		return letter
	}
	return letter + strings.TrimPrefix(e.key().String(), "10.0.0.")
}

// TestQueue runs little scripts: words push events, "n" takes the next one, "!u1" finishes one. What n
// took is in the transcript, - for nothing.
func TestQueue(t *testing.T) {
	tests := []struct{ name, script, want string }{
		{"different ones side by side", "u1 u2 n n n", "u1 u2 -"},
		{"one after the other", "u1 d1 n n !u1 n !d1 n", "u1 - d1 -"},
		{"order among interfaces", "u2 u1 u3 n n n", "u2 u1 u3"},
		{"post waits for its round", "u1 u2 U n n n !u1 n !u2 n", "u1 u2 - - U"},
		{"post waits for no later one", "u1 U n !u1 u2 n n", "u1 U u2"},
		{"posts one after the other", "U D n n !U n", "U - D"},
		{"post twice", "u1 U u2 U n n n !u1 n !u2 n !U n", "u1 u2 - - U -"},
		{"flapping before it begins", "u1 d1 u1 n n !u1 n", "u1 - -"},
		{"down, up, down while up runs", "u1 n d1 u1 d1 n !u1 n !d1 n", "u1 - d1 -"},
		{"down, up while up runs", "u1 n d1 u1 n !u1 n !d1 n !u1 n", "u1 - d1 u1 -"},
		{"the same twice", "u1 n u1 u1 !u1 n !u1 n", "u1 u1 -"},
		{"post before one that was made moot", "u1 U n d1 u1 d1 !u1 n n", "u1 U d1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var q queue
			running := make(map[string]job)
			var got []string
			for op := range strings.FieldsSeq(tt.script) {
				switch {
				case op == "n":
					j, ok := q.next()
					if !ok {
						got = append(got, "-")
						continue
					}
					running[wordOf(j.change)] = j
					got = append(got, wordOf(j.change))
				case op[0] == '!':
					q.done(running[op[1:]])
				default:
					q.push(word(op))
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("%s: got %s, want %s", tt.script, strings.Join(got, " "), tt.want)
			}
		})
	}
}

// TestQueueAtRandom checks what must hold, against a plain record of what happened.
func TestQueueAtRandom(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		var q queue
		var running []job
		last := make(map[string]change) // pushed last, by interface
		ran := make(map[string]change)  // run last
		pushed, taken, dropped := 0, 0, 0
		finish := func(i int) {
			q.done(running[i])
			running = append(running[:i], running[i+1:]...)
		}
		take := func() bool {
			runnable := q.runnable()
			j, ok := q.next()
			if ok != (runnable > 0) {
				t.Fatalf("seed %d: %d runnable, next says %v", seed, runnable, ok)
			}
			if !ok {
				return false
			}
			taken++
			for _, r := range running {
				if !j.isPost() && r.key() == j.key() || j.isPost() && r.number < j.number {
					t.Fatalf("seed %d: %v begins while %v runs", seed, j, r)
				}
			}
			running = append(running, j)
			ran[wordOf(j.change)[1:]] = j.change
			return true
		}
		for range 300 {
			switch n := random.IntN(10); {
			case n < 5:
				e := word(fmt.Sprintf("%c%d", "ud"[random.IntN(2)], random.IntN(5)))
				last[wordOf(e)[1:]] = e
				dropped += q.push(e)
				pushed++
			case n == 5:
				dropped += q.push(word("UD"[random.IntN(2):][:1]))
				pushed++
			case n < 8:
				take()
			case len(running) > 0:
				finish(random.IntN(len(running)))
			}
			for _, l := range q.lines {
				if len(l.waiting) > 2 {
					t.Fatalf("seed %d: %d events of %v wait", seed, len(l.waiting), l.key)
				}
			}
		}
		for !q.empty() {
			if !take() {
				finish(0)
			}
		}
		if pushed != taken+dropped || len(q.lines) != 0 || q.unfinished != 0 {
			t.Errorf("seed %d: %d pushed, %d taken, %d dropped, %d lines left", seed, pushed, taken, dropped, len(q.lines))
		}
		for key, e := range last {
			if key != "" && ran[key].Kind != e.Kind {
				t.Errorf("seed %d: the last event of %s is %v, the last that ran %v", seed, key, e, ran[key])
			}
		}
	}
}
