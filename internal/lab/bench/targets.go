package main

import "fmt"

// judge holds a median against what the project wants of it.
func (t *table) judge(what string, s sample, u unit, most float64) {
	if len(s) == 0 {
		return
	}
	word := "met"
	if s.median() > most {
		word = "MISSED"
	}
	t.row(word, what, s.in(u), "at most "+u(most))
}

// targets judges the contests.
func targets(contests []*contest) *table {
	t := &table{title: "Targets", head: []string{"", "", "measured", "wanted"}}
	ratio := make(map[int]sample)
	for _, c := range contests {
		ours, floor := c.find(oursName), c.find(floorName)
		where := count(c.addresses)
		if c.interfaces > 1 {
			where += fmt.Sprintf(" on %d interfaces", c.interfaces)
		} else {
			ratio[c.addresses] = ours.added.over(floor.added)
		}
		if c.addresses != 254 && c.addresses != 250 && c.addresses != 4000 {
			continue
		}
		t.judge(where+": last address in the kernel / floor", ours.added.over(floor.added), times, 1.5)
		t.judge(where+": last announcement behind the last address / floor", ours.trailing.over(floor.trailing), times, 1.5)
		t.judge(where+": last announcement / floor for addresses and frames", ours.lastFrame.over(floor.lastFrame), times, 1.5)
		t.judge(where+": release / take-over in the kernel", ours.release.over(ours.added), times, 1)
	}
	for _, c := range contests {
		if c.interfaces == 1 {
			t.judge(count(c.addresses)+": first announcement of the first address after that", c.find(oursName).behind, milliseconds, 1e-3)
		}
	}
	if small, large := ratio[254].median(), ratio[4000].median(); small > 0 && large > 0 {
		t.judge("ratio to the floor at 4000 / at 254", sample{large / small}, times, 1.3)
	}
	for _, c := range contests {
		for _, r := range c.results {
			if r.name == oursName || r.name == floorName || r.failed != nil {
				continue
			}
			ours := c.find(oursName)
			t.judge(count(c.addresses)+": last address, ours / "+r.name, ours.added.over(r.added), times, 1)
			t.judge(count(c.addresses)+": last announcement, ours / "+r.name, ours.lastFrame.over(r.lastFrame), times, 1)
		}
	}
	return t
}

// count names so many addresses.
func count(addresses int) string {
	if addresses == 1 {
		return "1 address"
	}
	return fmt.Sprintf("%d addresses", addresses)
}
