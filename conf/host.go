package conf

import "net/netip"

// CheckHost checks what depends on the host: real is its own address, the one
// that names the member, or the zero Addr if that is not known yet.
// interfaceExists tells the interfaces that it has now.
//
// The error, a Problems, is for a virtual address that is the host's own: it
// would be removed from this host whenever another member holds it. An
// interface that is missing is only a warning, once for each: it may come
// later, as VLANs and USB do.
func (c *Config) CheckHost(real netip.Addr, interfaceExists func(name string) bool) (warnings []Problem, err error) {
	var own, missing collector
	real = real.Unmap()
	seen := map[string]bool{}
	for _, v := range c.Interfaces {
		at := place{v.At.Line, v.At.Column}
		own.file, missing.file = v.At.File, v.At.File
		for _, a := range v.Addresses {
			if real.IsValid() && a.Addr() == real {
				own.add(at, "the virtual address %s is this host's own; write one that no host has, or name another own address with -a", a)
			}
			if seen[a.Interface] {
				continue
			}
			seen[a.Interface] = true
			if !interfaceExists(a.Interface) {
				missing.add(at, "there is no interface %s yet, so %s can't be held here until there is; write the name as 'ip link' shows it", quote(a.Interface), a.Addr())
			}
		}
	}
	if problems := own.problems(); len(problems) > 0 {
		err = problems
	}
	return missing.problems(), err
}
