package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"
)

// A report is what a daemon says of itself (wackatrl -j), as far as it is judged.
type report struct {
	State      string      `json:"state"`
	Mature     bool        `json:"mature"`
	View       *reportView `json:"view"`
	Interfaces []row       `json:"interfaces"`
}

type reportView struct {
	ID      [3]uint32      `json:"id"`
	Members []reportMember `json:"members"`
}

type reportMember struct {
	Name    string      `json:"name"`
	Address *netip.Addr `json:"address"`
}

// A row is one virtual interface in a daemon's table.
type row struct {
	Addresses []struct {
		Interface string     `json:"interface"`
		IP        netip.Addr `json:"ip"`
		Prefix    int        `json:"prefix"`
	} `json:"addresses"`
	Owner *netip.Addr `json:"owner"`
	Claim int         `json:"claim"`
	Held  bool        `json:"held"`
}

// Requests of the control socket, see package control.
const (
	requestJSON    = 3
	requestMetrics = 4
)

// answerTime is how long a daemon may take to answer.
const answerTime = 5 * time.Second

// ask sends one request to the control socket.
func ask(path string, request byte) ([]byte, error) {
	conn, err := net.DialTimeout("unix", path, answerTime)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(answerTime))
	if _, err := conn.Write([]byte{request}); err != nil {
		return nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return nil, err
	}
	answer := make([]byte, min(binary.BigEndian.Uint32(head[:]), 1<<24))
	_, err = io.ReadFull(conn, answer)
	return answer, err
}

func askReport(path string) (*report, error) {
	text, err := ask(path, requestJSON)
	if err != nil {
		return nil, err
	}
	r := &report{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("what the daemon says is no JSON: %w", err)
	}
	return r, nil
}

// askGauge asks for one metric without labels.
func askGauge(path, name string) (value int, err error) {
	text, err := ask(path, requestMetrics)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			_, err := fmt.Sscan(rest, &value)
			return value, err
		}
	}
	return 0, fmt.Errorf("the daemon has no metric %s", name)
}
