package main

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"wackamole/internal/lab/vnet"
)

// A ring is a packet socket's memory that the kernel fills (packet(7), PACKET_RX_RING): each ARP frame that
// arrives in a namespace, with the time of its arrival. Nobody needs to wake up for them; they are read afterwards.
type ring struct {
	fd     int
	memory []byte
	next   int
}

const (
	ringSlot   = 128 // header, sender's address and an ARP frame
	ringSlots  = 1 << 15
	ringBlock  = 1 << 16
	arpAddress = 28 // ar$spa, with the Ethernet header
)

// A heard is one ARP frame: when it arrived, and whose address it announces.
type heard struct {
	at   time.Duration
	addr [4]byte
}

func openRing(n *vnet.Namespace) (*ring, error) {
	r := &ring{fd: -1}
	err := n.Do(func() error { return r.open() })
	if err != nil {
		r.close()
		return nil, fmt.Errorf("open a ring of packets: %w", err)
	}
	return r, nil
}

func (r *ring) open() (err error) {
	protocol := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ARP))
	if r.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(protocol)); err != nil {
		return err
	}
	if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V2); err != nil {
		return err
	}
	request := unix.TpacketReq{
		Block_size: ringBlock, Block_nr: ringSlots * ringSlot / ringBlock,
		Frame_size: ringSlot, Frame_nr: ringSlots,
	}
	if err := unix.SetsockoptTpacketReq(r.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &request); err != nil {
		return err
	}
	r.memory, err = unix.Mmap(r.fd, 0, ringSlots*ringSlot, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	return err
}

func (r *ring) close() {
	if r.memory != nil {
		unix.Munmap(r.memory)
	}
	if r.fd >= 0 {
		unix.Close(r.fd)
	}
}

// drain takes what has arrived since the last call.
func (r *ring) drain() (list []heard) {
	epoch := sinceEpoch()
	for {
		slot := r.memory[r.next*ringSlot : (r.next+1)*ringSlot]
		header := (*unix.Tpacket2Hdr)(unsafe.Pointer(&slot[0]))
		if atomic.LoadUint32(&header.Status)&unix.TP_STATUS_USER == 0 {
			return list
		}
		frame := slot[header.Mac:]
		list = append(list, heard{
			at:   time.Duration(header.Sec)*time.Second + time.Duration(header.Nsec) - epoch,
			addr: [4]byte(frame[arpAddress:]),
		})
		atomic.StoreUint32(&header.Status, unix.TP_STATUS_KERNEL)
		r.next = (r.next + 1) % ringSlots
	}
}
