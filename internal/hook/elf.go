package hook

import (
	"encoding/binary"
	"io"
	"os"
)

// From the ELF specification (System V ABI, chapter 4 and 5) and its GNU extensions.
const (
	elfTypeDynamic  = 3          // ET_DYN: a shared object or a position-independent executable
	elfInterpreter  = 3          // PT_INTERP
	elfDynamic      = 2          // PT_DYNAMIC
	elfFlags1       = 0x6ffffffb // DT_FLAGS_1
	elfFlags1PIE    = 0x08000000 // DF_1_PIE
	maxElfProgram   = 256        // program headers looked at
	maxElfDynamic   = 4096       // entries of the dynamic section looked at
	elfHeaderLength = 64
)

// isSharedObject tells a shared object from an executable. Both may be of type ET_DYN and have the mode
// bits of an executable; an executable names an interpreter or, if linked statically, carries the flag
// DF_1_PIE. What is no ELF file, a script for instance, is no shared object.
func isSharedObject(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	return isSharedELF(file)
}

func isSharedELF(file io.ReaderAt) bool {
	var head [elfHeaderLength]byte
	if n, _ := file.ReadAt(head[:], 0); n < 52 || string(head[:4]) != "\x7fELF" {
		return false
	}
	e := elf{file: file, wide: head[4] == 2}
	e.order = binary.LittleEndian
	if head[5] == 2 {
		e.order = binary.BigEndian
	}
	if e.order.Uint16(head[16:]) != elfTypeDynamic {
		return false
	}
	// e_phoff, e_phentsize and e_phnum; the words before them grow with the class.
	at, size, count := uint64(e.order.Uint32(head[28:])), e.order.Uint16(head[42:]), e.order.Uint16(head[44:])
	if e.wide {
		at, size, count = e.order.Uint64(head[32:]), e.order.Uint16(head[54:]), e.order.Uint16(head[56:])
	}
	shared, dynamic := true, false
	for i := range min(uint64(count), maxElfProgram) {
		kind, offset, length, ok := e.programHeader(at + i*uint64(size))
		switch {
		case !ok:
			return true
		case kind == elfInterpreter:
			return false
		case kind == elfDynamic && !dynamic: // a file has one
			dynamic = true
			shared = e.flags1(offset, length)&elfFlags1PIE == 0
		}
	}
	return shared
}

// elf reads the parts of a file that matter here.
type elf struct {
	file  io.ReaderAt
	order binary.ByteOrder
	wide  bool // 64 bits
}

// programHeader reads p_type, p_offset and p_filesz.
func (e elf) programHeader(at uint64) (kind uint32, offset, length uint64, ok bool) {
	var b [56]byte
	need := 32
	if e.wide {
		need = 56
	}
	if n, _ := e.file.ReadAt(b[:need], int64(at)); n < need {
		return 0, 0, 0, false
	}
	if e.wide {
		return e.order.Uint32(b[:]), e.order.Uint64(b[8:]), e.order.Uint64(b[32:]), true
	}
	return e.order.Uint32(b[:]), uint64(e.order.Uint32(b[4:])), uint64(e.order.Uint32(b[16:])), true
}

// flags1 returns the value of DT_FLAGS_1 in the dynamic section, 0 if it has none.
func (e elf) flags1(offset, length uint64) uint64 {
	size := uint64(8)
	if e.wide {
		size = 16
	}
	var b [16]byte
	for i := range min(length/size, maxElfDynamic) {
		if n, _ := e.file.ReadAt(b[:size], int64(offset+i*size)); n < int(size) {
			return 0
		}
		tag, value := uint64(e.order.Uint32(b[:])), uint64(e.order.Uint32(b[4:]))
		if e.wide {
			tag, value = e.order.Uint64(b[:]), e.order.Uint64(b[8:])
		}
		if tag == elfFlags1 {
			return value
		}
	}
	return 0
}
