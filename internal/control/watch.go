package control

import (
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/internal/fmt"
)

// watchInterval is how often -w asks for the table.
const watchInterval = 500 * time.Millisecond

// watch is -w: the table, drawn again whenever it changes. On a terminal it fills the screen and goes
// on when the daemon is restarted; elsewhere every change prints the table once more below a time
// stamp, and the daemon's end is the end.
type watch struct {
	out      io.Writer
	path     string
	terminal *os.File // nil when out is none
	now      func() time.Time
	sleep    func(time.Duration)
}

func newWatch(out io.Writer, path string) *watch {
	w := &watch{out: out, path: path, now: time.Now, sleep: time.Sleep}
	if file, ok := out.(*os.File); ok {
		if _, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS); err == nil {
			w.terminal = file
		}
	}
	return w
}

// run ends with an error only: the daemon cannot be reached, or out cannot be written.
func (w *watch) run() error {
	s, err := dial(w.path)
	if err != nil {
		return err
	}
	drawn := ""
	for {
		text, err := w.table(s)
		if err != nil {
			_ = s.Close()
			if w.terminal == nil || drawn == "" {
				return err
			}
			text = err.Error() + "\n"
		}
		if picture := w.picture(text); picture != drawn {
			if err := w.draw(picture); err != nil {
				return err
			}
			drawn = picture
		}
		w.sleep(watchInterval)
		if err != nil {
			s = w.redial(s)
		}
	}
}

// redial tries once to connect again; without success the old session stays, which gives the error again.
func (w *watch) redial(old *session) *session {
	if s, err := dial(w.path); err == nil {
		return s
	}
	return old
}

// table asks for the table.
func (w *watch) table(s *session) (string, error) {
	var text strings.Builder
	if err := s.text(RequestTable, &text); err != nil {
		return "", err
	}
	return clean(text.String()), nil
}

// clean keeps line ends and what can be printed: the daemon's text must not drive the terminal.
func clean(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = printable(l)
	}
	return strings.Join(lines, "\n")
}

// picture cuts the text to the terminal's size.
func (w *watch) picture(text string) string {
	if w.terminal == nil {
		return text
	}
	size, err := unix.IoctlGetWinsize(int(w.terminal.Fd()), unix.TIOCGWINSZ)
	if err != nil || size.Row == 0 || size.Col == 0 {
		return text
	}
	return fit(text, int(size.Row), int(size.Col))
}

// fit cuts text to so many rows and columns; the last row says how many lines are missing.
func fit(text string, rows, columns int) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if room := rows - 1; len(lines) > room { // the cursor needs a row
		keep := max(room-1, 0)
		lines = append(lines[:keep:keep], fmt.Sprintf("... and %d lines more", len(lines)-keep))
	}
	for i, l := range lines {
		if letters := []rune(l); len(letters) > columns {
			lines[i] = string(letters[:columns])
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// Control sequences of ECMA-48, which every terminal in use knows.
const (
	cursorHome = "\x1b[H"
	clearRight = "\x1b[K" // the rest of the line
	clearBelow = "\x1b[J" // the rest of the screen
)

// draw writes the picture in one write, over the one before without blanking the screen first, so that
// it does not flicker.
func (w *watch) draw(picture string) error {
	if w.terminal == nil {
		year, month, day := w.now().Date()
		hour, minute, second := w.now().Clock()
		_, err := fmt.Fprintf(w.out, "%04d-%02d-%02d %02d:%02d:%02d\n%s\n", year, int(month), day, hour, minute, second, picture)
		return err
	}
	_, err := io.WriteString(w.out, cursorHome+strings.ReplaceAll(picture, "\n", clearRight+"\n")+clearBelow)
	return err
}
