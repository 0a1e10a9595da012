package rtnl

import (
	"errors"

	"golang.org/x/sys/unix"

	"wackamole/internal/fmt"
)

// Errors that a [Result] can carry, for errors.Is. A lack of privilege is
// os.ErrPermission.
var (
	// ErrNoInterface: there is no interface of that name (now).
	ErrNoInterface = errors.New("no such interface")
	// ErrExistsOtherPrefix: the interface has the address, with another prefix
	// length or as one end of a point-to-point link. It was left alone.
	ErrExistsOtherPrefix = errors.New("the address is there with another prefix")
	// ErrExistsElsewhere: another interface has the address. It was left alone.
	ErrExistsElsewhere = errors.New("the address is on another interface")
	// ErrNoAnswer: the kernel's answers were lost again and again, and the
	// address is not as it was asked for. Worth another try later.
	ErrNoAnswer = errors.New("the kernel's answer was lost")
)

// An Outcome says what became of one address.
type Outcome uint8

// The outcomes. Add gives Added and AlreadyThere, Delete gives Removed and
// AlreadyGone, both give Failed.
const (
	// Failed: see the error.
	Failed Outcome = iota
	// Added: the interface has the address, and had it not before.
	Added
	// AlreadyThere: the interface had the address with that prefix before; its
	// label and broadcast address were left as they were.
	AlreadyThere
	// Removed: the interface had the address and has it no more. Also what was
	// gone before, in the rare case that the kernel's answer was lost.
	Removed
	// AlreadyGone: the interface did not have the address, or there is no such
	// interface.
	AlreadyGone
)

// String returns the outcome in words.
func (o Outcome) String() string {
	switch o {
	case Failed:
		return "failed"
	case Added:
		return "added"
	case AlreadyThere:
		return "already there"
	case Removed:
		return "removed"
	case AlreadyGone:
		return "already gone"
	}
	return fmt.Sprintf("outcome %d", uint8(o))
}

// A Result says what became of one address of an Add or a Delete.
type Result struct {
	// Outcome is what became of it.
	Outcome Outcome
	// Down is set by Add where the interface is administratively down: it has
	// the address, and nobody can reach it.
	Down bool
	// Key is what the kernel knows the address by; its Index is 0 where there is
	// no such interface.
	Key Key
	// Err is not nil exactly where Outcome is Failed.
	Err error
}

// fail makes an error of the answer errno to an operation ("add ... to ...").
func fail(operation string, errno unix.Errno) error {
	switch errno {
	case unix.ENODEV:
		return fmt.Errorf("%s: %w", operation, ErrNoInterface)
	case unix.EPERM, unix.EACCES:
		return fmt.Errorf("%s: %w (needs root or CAP_NET_ADMIN)", operation, errno)
	case unix.ENOBUFS:
		return fmt.Errorf("%s: %w", operation, ErrNoAnswer)
	}
	return fmt.Errorf("%s: %w", operation, errno)
}
