// Package vnet makes small networks in namespaces for tests and for the demo: network namespaces, virtual
// Ethernet pairs between them, addresses, processes that live in them. It needs no root where the kernel
// allows user namespaces, no ip command, and touches nothing of the machine that it runs on.
//
// The model has two levels:
//
//	machine                      the test binary, as "go test" started it; it only waits
//	`- user, mount, PID and      the same binary again (Reexec), root over this new user namespace
//	   network namespace         and over every network namespace that it makes from here on
//	   |- Namespace "switch"     held by a descriptor: it needs no process to stay alive
//	   |- Namespace "host 1"     processes are started in it by Namespace.Start,
//	   `- Namespace "host 2"     sockets are opened in it by Namespace.Do
//
// A test package opts in with one function:
//
//	func TestMain(m *testing.M) { os.Exit(vnet.Reexec(m)) }
//
// and each test that needs a network begins with vnet.Require(t), which skips with the kernel's reason where
// namespaces are forbidden. Everything dies with the first process: the PID namespace takes every process
// with it, guards and daemons that left their parent included, and the kernel frees the interfaces with
// their namespaces.
package vnet

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// A Namespace is a network namespace, kept alive by a descriptor until Close.
// Its methods may be called from several goroutines at once.
type Namespace struct {
	file *os.File
}

// NewNamespace makes an empty network namespace with its loopback interface up.
func NewNamespace() (*Namespace, error) {
	var n *Namespace
	// The thread comes back to where it was: a thread that ended here would take the processes along that
	// were started from it with a parent death signal.
	err := stayingHere(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("make a network namespace: %w", err)
		}
		var err error
		n, err = Here()
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := n.SetUp("lo"); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// Here returns the network namespace of the calling thread, for a process or a function of Do the one that
// it runs in.
func Here() (*Namespace, error) {
	f, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, fmt.Errorf("open the present network namespace: %w", err)
	}
	return &Namespace{file: f}, nil
}

// Close lets go of the namespace. The kernel removes it with its interfaces once no process and no socket is
// left in it.
func (n *Namespace) Close() error { return n.file.Close() }

// Do runs f in the namespace, on the calling goroutine, which is tied to its thread meanwhile. Sockets that f
// opens belong to the namespace for good; goroutines that f starts do not run in it. A test may call Fatal in
// f.
func (n *Namespace) Do(f func() error) error {
	return stayingHere(func() error {
		if err := n.enter(); err != nil {
			return err
		}
		return f()
	})
}

// enter moves the calling thread into the namespace.
func (n *Namespace) enter() error {
	if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter a network namespace: %w", err)
	}
	return nil
}

// stayingHere runs f, which may move its thread to another network namespace, and moves the thread back.
func stayingHere(f func() error) error {
	runtime.LockOSThread()
	home, err := Here()
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer func() {
		defer home.Close()
		// A thread that cannot return stays tied to the goroutine and ends with it, so that no other
		// goroutine wakes up in a foreign network.
		if home.enter() == nil {
			runtime.UnlockOSThread()
		}
	}()
	return f()
}

// Sysctl writes value to the kernel parameter of the namespace, for example
// "net/ipv4/conf/eth0/promote_secondaries".
func (n *Namespace) Sysctl(parameter, value string) error {
	return n.Do(func() error {
		if err := os.WriteFile("/proc/sys/"+parameter, []byte(value), 0); err != nil {
			return fmt.Errorf("set kernel parameter %s to %s: %w", parameter, value, err)
		}
		return nil
	})
}
