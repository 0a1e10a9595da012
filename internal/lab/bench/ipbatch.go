package main

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"time"
)

// An ipBatch under test is "ip -batch", which is started beforehand and gets its lines at once. It does not
// announce anything.
type ipBatch struct {
	program     string
	wire        *wire
	add, remove []byte
	began       time.Duration
}

func newIPBatch(program string, w *wire, list []virtual) *ipBatch {
	b := &ipBatch{program: program, wire: w}
	for _, v := range list {
		b.add = fmt.Appendf(b.add, "addr add %v/32 dev %s\n", v.addr, v.link)
		b.remove = fmt.Appendf(b.remove, "addr del %v/32 dev %s\n", v.addr, v.link)
	}
	return b
}

func (b *ipBatch) name() string { return "ip -batch" }

func (b *ipBatch) frames() int { return 0 }

func (b *ipBatch) takeOver() error { return b.run(b.add) }

func (b *ipBatch) release() error { return b.run(b.remove) }

func (b *ipBatch) begin() time.Duration { return b.began }

func (b *ipBatch) close() {}

// settleTime is what a program gets for its start, before it is given its work.
const settleTime = 50 * time.Millisecond

func (b *ipBatch) run(lines []byte) error {
	reader, writer := io.Pipe()
	var output bytes.Buffer
	c := exec.Command(b.program, "-batch", "-")
	c.Stdin, c.Stdout, c.Stderr = reader, &output, &output
	if err := b.wire.subject.Start(c); err != nil {
		return err
	}
	time.Sleep(settleTime)
	b.began = now()
	_, err := writer.Write(lines)
	writer.Close()
	if failed := c.Wait(); failed != nil {
		return fmt.Errorf("ip -batch: %w\n%s", failed, output.Bytes())
	}
	return err
}
