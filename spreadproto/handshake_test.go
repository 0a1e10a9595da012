package spreadproto

import (
	"strings"
	"testing"
)

func TestTruncatedHandshake(t *testing.T) {
	whole := welcome(daemon44)
	for n := range whole {
		if _, err := handshakeWith(Options{}, whole[:n]); !isEnd(err) {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
}

func TestHandshakeRefused(t *testing.T) {
	for _, test := range []struct{ name, answer, want string }{
		{"not unique", "fa", "in use"},
		{"quota", "fd", "as many clients"},
		{"password only", "06 50574f524420", `offers "PWORD" only`},
		{"address only", "03 495020", `offers "IP" only`},
		{"no method", "00 f7", "offers no method"},
		{"after the choice", "05 4e554c4c20 f7", "spread.access_ip"},
		{"list too long", "5b 41*91", "authentication methods"},
		{"some other server", "48 54", "closed the connection"},
		{"private group of somebody's", "05 4e554c4c20 01040400 03 616263", "private group name"},
		{"daemon too old", "05 4e554c4c20 01030000 06 236d65236431", "3.1 or later"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := handshakeWith(Options{User: "me"}, unhex(t, test.answer))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
