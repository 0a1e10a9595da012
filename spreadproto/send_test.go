package spreadproto

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"sync"
	"testing"
)

func TestSendChecks(t *testing.T) {
	c, there := openPair(t, Options{})
	many := slices.Repeat([]string{"room"}, MaxDestinations+1)
	for name, err := range map[string]error{
		"no service":             c.Multicast(0, 0, nil, "room"),
		"two services":           c.Multicast(Agreed|Safe, 0, nil, "room"),
		"bits beyond services":   c.Multicast(Agreed|0x400000, 0, nil, "room"),
		"no destination":         c.Multicast(Agreed, 0, nil),
		"44 destinations":        c.Multicast(Agreed, 0, nil, many...),
		"no name":                c.Multicast(Agreed, 0, nil, "a b"),
		"too long":               c.Multicast(Agreed, 0, make([]byte, DefaultMaxMessage-HeaderSize-NameSize+1), "room"),
		"join of a private name": c.Join("#a#d1"),
		"leave of no name":       c.Leave(""),
	} {
		if err == nil {
			t.Errorf("%s: sent", name)
		}
		if errors.Is(err, ErrTooLong) != (name == "too long") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Nothing of that was sent, and the largest message is.
	go c.Multicast(Agreed, 1, make([]byte, DefaultMaxMessage-HeaderSize-NameSize), "room")
	b := make([]byte, DefaultMaxMessage)
	if _, err := io.ReadFull(there, b); err != nil {
		t.Fatal(err)
	}
	var h Header
	if err := h.Unmarshal(b); err != nil || h.Type != uint32(Agreed) || h.Length != DefaultMaxMessage-HeaderSize-NameSize {
		t.Errorf("%+v, %v", h, err)
	}
}

// Messages of several goroutines must not mix.
func TestConcurrentSenders(t *testing.T) {
	c, there := openPair(t, Options{})
	const senders, each = 8, 20
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for j := range each {
				size := (i*7919 + j*104729) % 60_000
				if err := c.Multicast(Agreed, int16(i), bytes.Repeat([]byte{byte(i)}, size), "room"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range senders * each {
		b := make([]byte, HeaderSize+NameSize)
		if _, err := io.ReadFull(there, b); err != nil {
			t.Fatal(err)
		}
		var h Header
		if err := h.Unmarshal(b); err != nil {
			t.Fatal(err)
		}
		body := make([]byte, h.Length)
		if _, err := io.ReadFull(there, body); err != nil {
			t.Fatal(err)
		}
		if want := byte(h.Hint.MessageType()); bytes.ContainsFunc(body, func(r rune) bool { return byte(r) != want }) {
			t.Fatalf("body of sender %d has other bytes", want)
		}
	}
	wg.Wait()
}
