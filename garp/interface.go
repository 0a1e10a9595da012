package garp

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"wackamole/internal/fmt"
)

// An interfaceRequest is struct ifreq of netdevice(7). The union is 16 bytes
// long on 32-bit machines and 24 on others; more does no harm.
type interfaceRequest struct {
	name [unix.IFNAMSIZ]byte
	data [24]byte
}

func (r *interfaceRequest) ioctl(socket int, request uintptr) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(socket), request, uintptr(unsafe.Pointer(r)))
	if errno != 0 {
		return errno
	}
	return nil
}

// lookAt reads link-layer address and index of an interface that frames can
// be sent to. It takes three ioctls, on any socket: the list of all interfaces
// that package net would ask the kernel for costs a hundred times that, and waits
// for the lock that is held while addresses are added.
func lookAt(socket int, name string) (addr LinkAddr, index int32, err error) {
	var r interfaceRequest
	if len(name) >= len(r.name) {
		return addr, 0, fmt.Errorf("look at interface %s: the name is longer than %d characters", name, len(r.name)-1)
	}
	copy(r.name[:], name)

	// All answers are in the machine's own byte order.
	if err := r.ioctl(socket, unix.SIOCGIFFLAGS); err != nil {
		return addr, 0, fmt.Errorf("look at interface %s: %w", name, err)
	}
	flags := *(*uint16)(unsafe.Pointer(&r.data))
	if flags&(unix.IFF_LOOPBACK|unix.IFF_POINTOPOINT|unix.IFF_NOARP) != 0 {
		return addr, 0, ErrNoARP
	}
	if flags&unix.IFF_UP == 0 {
		return addr, 0, fmt.Errorf("interface %s: %w", name, unix.ENETDOWN)
	}
	if err := r.ioctl(socket, unix.SIOCGIFHWADDR); err != nil {
		return addr, 0, fmt.Errorf("read the link-layer address of %s: %w", name, err)
	}
	if *(*uint16)(unsafe.Pointer(&r.data)) != unix.ARPHRD_ETHER {
		return addr, 0, ErrNoARP
	}
	addr = LinkAddr(r.data[2:8])
	if err := r.ioctl(socket, unix.SIOCGIFINDEX); err != nil {
		return addr, 0, fmt.Errorf("read the index of interface %s: %w", name, err)
	}
	return addr, *(*int32)(unsafe.Pointer(&r.data)), nil
}
