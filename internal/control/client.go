package control

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"wackamole/internal/context"
	"wackamole/internal/fmt"
	"wackamole/internal/stream"
)

const (
	// dialTimeout is for connecting to a socket of this machine, which is done at once or, where the
	// daemon's queue of clients is full, refused at once: that is tried again for so long.
	dialTimeout = 2 * time.Second
	// answerTimeout is for a whole answer. A daemon that leaves Spread and removes addresses takes a while.
	answerTimeout = 30 * time.Second
	// maxAnswer bounds what a daemon may announce, in bytes. The longest that ours can mean is some 20 MB.
	maxAnswer = 64 << 20
)

// errUnknownRequest is how an original daemon answers requests that it does not know: not at all.
var errUnknownRequest = errors.New("the daemon closed the connection instead of answering: " +
	"it is an original wackamole, or an older one, which knows -l, -f and -s only")

// session is a connection to a daemon.
type session struct {
	path string
	conn *stream.Conn
	in   *bufio.Reader
	ours bool // it has answered a request that an original does not know
}

// dial connects to the daemon at path.
func dial(path string) (*session, error) {
	deadline := time.Now().Add(dialTimeout)
	conn, err := stream.Dial(context.Background(), stream.Unix(path), nil)
	for errors.Is(err, unix.EAGAIN) && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
		conn, err = stream.Dial(context.Background(), stream.Unix(path), nil)
	}
	if err != nil {
		hint := "is wackamole running, and with this configuration?"
		if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
			hint = "only the user that runs wackamole may (root, as a rule)"
		}
		return nil, fmt.Errorf("cannot reach the daemon at %s: %w; %s", path, cause(err), hint)
	}
	return &session{path: path, conn: conn, in: bufio.NewReader(conn)}, nil
}

// cause is the system's error without the names that the caller gives anyway.
func cause(err error) error {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

func (s *session) Close() error { return s.conn.Close() }

// ask sends a request and returns the length of the answer, which follows on s.in. The length is not
// negative and within maxAnswer.
func (s *session) ask(request byte) (int, error) {
	_ = s.conn.SetDeadline(time.Now().Add(answerTimeout))
	if _, err := s.conn.Write([]byte{request}); err != nil {
		return 0, s.wrap(err)
	}
	var head [4]byte
	if n, err := io.ReadFull(s.in, head[:]); err != nil {
		if gone := err == io.EOF || errors.Is(err, unix.ECONNRESET); gone && n == 0 && request > RequestRecover && !s.ours {
			err = errUnknownRequest
		}
		return 0, s.wrap(err)
	}
	s.ours = s.ours || request > RequestRecover
	length := int32(binary.BigEndian.Uint32(head[:]))
	if length < 0 || length > maxAnswer {
		return 0, s.wrap(fmt.Errorf("it announces %d bytes, which is no answer of wackamole's", length))
	}
	return int(length), nil
}

// order sends RequestFail or RequestRecover.
func (s *session) order(request byte) error {
	result, err := s.ask(request)
	if err == nil && result != 0 {
		err = s.wrap(fmt.Errorf("it answers %d, which means that it did not do so", result))
	}
	return err
}

// records asks for the state and calls each with every record.
func (s *session) records(each func(*Record)) error {
	length, err := s.ask(RequestState)
	if err != nil {
		return err
	}
	if length%RecordSize != 0 {
		return s.wrap(fmt.Errorf("it announces %d bytes of state, not a multiple of %d", length, RecordSize))
	}
	var record Record
	data := make([]byte, RecordSize)
	for ; length > 0; length -= RecordSize {
		if _, err := io.ReadFull(s.in, data); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return s.wrap(err)
		}
		if err := record.UnmarshalBinary(data); err != nil {
			return s.wrap(err)
		}
		each(&record)
	}
	return nil
}

// text asks for one of the answers that are text and copies it to w, made harmless.
func (s *session) text(request byte, w io.Writer) error {
	length, err := s.ask(request)
	if err != nil {
		return err
	}
	buffer := make([]byte, 4096)
	last := byte(0)
	for length > 0 {
		n, err := s.in.Read(buffer[:min(length, len(buffer))])
		if n == 0 && err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if n == 0 && err != nil {
			return s.wrap(err)
		}
		length -= n
		last = disarm(buffer[:n], last)
		if _, err := w.Write(buffer[:n]); err != nil {
			return err
		}
	}
	return nil
}

// disarm replaces what could drive a terminal: control characters but line ends and tabs. The byte before
// the text is last; it returns the one before what follows.
func disarm(text []byte, last byte) byte {
	for i, b := range text {
		// In UTF-8 the control characters from U+0080 to U+009F begin with 0xc2.
		if b < ' ' && b != '\n' && b != '\t' || b == 0x7f || last == 0xc2 && b >= 0x80 && b < 0xa0 {
			text[i] = '?'
		}
		last = b
	}
	return last
}

func (s *session) wrap(err error) error {
	switch {
	case err == io.ErrUnexpectedEOF:
		err = errors.New("it closed the connection in the middle of its answer")
	case err == io.EOF || errors.Is(err, unix.EPIPE):
		err = errors.New("it closed the connection")
	case isTimeout(err):
		err = fmt.Errorf("no answer within %v; is it stopped?", answerTimeout)
	}
	return fmt.Errorf("the daemon at %s: %w", s.path, err)
}

func isTimeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded)
}
