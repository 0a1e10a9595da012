package logger_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"wackamole/internal/logger"
)

func TestLimiter(t *testing.T) {
	start := time.Date(2026, 11, 22, 15, 58, 58, 0, time.UTC)
	var l logger.Limiter
	steps := []struct {
		after time.Duration
		calls int
		want  string // a + for each line, with the count behind it, - for a refused one
	}{
		{0, 12, "++++++++++--"},
		{9 * time.Second, 2, "--"},
		{10 * time.Second, 3, "+(4)--"},
		{20 * time.Second, 1, "+(2)"},
		{29 * time.Second, 1, "-"},
		{time.Hour, 11, "+(1)+++++++++-"},
		{time.Hour + 10*time.Second, 1, "+(1)"},
	}
	for _, step := range steps {
		var got strings.Builder
		for range step.calls {
			ok, suppressed := l.Allow("bad STATE", start.Add(step.after))
			switch {
			case !ok:
				got.WriteString("-")
			case suppressed > 0:
				fmt.Fprintf(&got, "+(%d)", suppressed)
			default:
				got.WriteString("+")
			}
		}
		if got.String() != step.want {
			t.Errorf("after %v: %s, want %s", step.after, got.String(), step.want)
		}
	}
	if ok, _ := l.Allow("another kind", start); !ok {
		t.Error("one kind uses up another's lines")
	}
}

func TestLimiterClockGoesBack(t *testing.T) {
	start := time.Date(2026, 11, 22, 15, 58, 58, 0, time.UTC)
	l := logger.Limiter{Burst: 1, Every: time.Second}
	l.Allow("a", start)
	if ok, _ := l.Allow("a", start.Add(-time.Hour)); ok {
		t.Error("a clock that was set back earned a line")
	}
}

func TestLimiterBoundsItsKinds(t *testing.T) {
	var l logger.Limiter
	allowed := 0
	for i := range 10_000 {
		if ok, _ := l.Allow(fmt.Sprint(i), time.Time{}); ok {
			allowed++
		}
	}
	if allowed != 64 {
		t.Errorf("%d kinds were kept, want 64", allowed)
	}
}

func TestSuppressed(t *testing.T) {
	got := []string{logger.Suppressed(0), logger.Suppressed(7)}
	if diff := cmp.Diff([]string{"", " (7 more like this suppressed)"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
