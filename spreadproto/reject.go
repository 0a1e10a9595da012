package spreadproto

import (
	"errors"
	"strings"

	"wackamole/internal/fmt"
)

// A RejectCode is the signed byte with which a daemon answers a request for a
// session.
type RejectCode int8

// The answers of daemons.
const (
	Accepted          RejectCode = 1
	RejectQuota       RejectCode = -3
	RejectNoName      RejectCode = -4
	RejectIllegalName RejectCode = -5
	RejectNotUnique   RejectCode = -6
	RejectVersion     RejectCode = -7
	RejectAuth        RejectCode = -9
)

// String returns the name of the code in Spread's own terms.
func (c RejectCode) String() string {
	switch c {
	case Accepted:
		return "ACCEPT_SESSION"
	case RejectQuota:
		return "REJECT_QUOTA"
	case RejectNoName:
		return "REJECT_NO_NAME"
	case RejectIllegalName:
		return "REJECT_ILLEGAL_NAME"
	case RejectNotUnique:
		return "REJECT_NOT_UNIQUE"
	case RejectVersion:
		return "REJECT_VERSION"
	case RejectAuth:
		return "REJECT_AUTH"
	}
	return fmt.Sprintf("code %d", int8(c))
}

// ErrNotUnique is the error of a session whose user name is taken. Right after
// the end of an earlier session of the same name it passes within seconds.
var ErrNotUnique = errors.New("user name is taken")

// A RejectError says that a daemon refused to open a session.
type RejectError struct {
	Code   RejectCode
	User   string // the name that was asked for
	Daemon string // where the daemon is
}

// Error says what the code means and what to do about it.
func (e *RejectError) Error() string {
	var why string
	switch e.Code {
	case RejectQuota:
		why = "it has as many clients as it can serve; end some of them or use another daemon"
	case RejectNoName:
		why = "it received no user name; check that nothing between here and there cuts the connection's data"
	case RejectIllegalName:
		why = fmt.Sprintf("the user name %q is not legal there; use 1 to %d printable ASCII characters other than space, !, \" and #", e.User, MaxPrivateName)
	case RejectNotUnique:
		why = fmt.Sprintf("the user name %q is in use there; choose another, or wait until the earlier session of that name is gone", e.User)
	case RejectVersion:
		why = "it does not serve clients of this version of the protocol; use a Spread daemon 3.1 or later"
	case RejectAuth:
		why = "authentication failed; allow this host in its spread.access_ip, or drop IP from RequiredAuthMethods and allow NULL in AllowedAuthMethods of its spread.conf"
	default:
		why = "it gave a code that Spread does not define; check that a Spread daemon listens there"
	}
	return fmt.Sprintf("open a session with Spread daemon %s: refused (%v, %d): %s", e.Daemon, e.Code, int8(e.Code), why)
}

// Is makes a refusal because of the name match [ErrNotUnique].
func (e *RejectError) Is(target error) bool {
	return target == ErrNotUnique && e.Code == RejectNotUnique
}

// An AuthError says that a daemon does not offer the authentication method
// NULL.
type AuthError struct {
	Daemon  string
	Offered []string
}

// Error names what the daemon offers.
func (e *AuthError) Error() string {
	offered := "offers no method at all"
	if len(e.Offered) > 0 {
		offered = fmt.Sprintf("offers %q only", strings.Join(e.Offered, " "))
	}
	return fmt.Sprintf("open a session with Spread daemon %s: it does not accept authentication method NULL, it %s; allow NULL in AllowedAuthMethods of its spread.conf", e.Daemon, offered)
}
