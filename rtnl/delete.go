package rtnl

import (
	"errors"

	"wackamole/internal/fmt"
)

// Delete removes addresses from their interfaces and returns a result for each,
// in the order given. No other address goes with them (see the package comment).
// An interface that is missing has no addresses: AlreadyGone. An address that is
// there with another prefix is ErrExistsOtherPrefix, and stays.
func (c *Conn) Delete(addresses []Address) []Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	results := make([]Result, len(addresses))
	keys := make([]Key, 0, len(addresses))
	origin := make([]int32, 0, len(addresses)) // key -> address
	find := finder{session: &c.session}
	operation := func(i int) string {
		return fmt.Sprintf("remove %s from %s", addresses[i].Prefix, addresses[i].Interface)
	}
	for i, address := range addresses {
		if err := address.check(); err != nil {
			results[i].Err = fmt.Errorf("%s: %w", operation(i), err)
			continue
		}
		l, err := find.link(address.Interface)
		results[i].Key = address.key(uint32(l.Index))
		switch {
		case errors.Is(err, ErrNoInterface):
			results[i].Key.Index = 0
			results[i].Outcome = AlreadyGone
		case err != nil:
			results[i].Err = fmt.Errorf("%s: %w", operation(i), err)
		default:
			keys = append(keys, results[i].Key)
			origin = append(origin, int32(i))
		}
	}
	c.release.run(keys, func(n int, o Outcome, err error) {
		i := int(origin[n])
		results[i].Outcome = o
		if err != nil {
			results[i].Err = failDelete(operation(i), err)
		}
	})
	return results
}
