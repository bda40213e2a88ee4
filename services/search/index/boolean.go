package index

// allMatcher matches every version.
type allMatcher struct {
	cursor
	number uint64
}

func newAllMatcher(t table) *allMatcher {
	m := &allMatcher{cursor: cursor{table: t}}
	m.seek(1)
	return m
}

func (m *allMatcher) seek(target uint64) uint64 {
	if m.number < target {
		m.number = m.from(target)
	}
	return m.number
}

// notMatcher matches the versions that another does not.
type notMatcher struct {
	all   *allMatcher
	child matcher
	clock *clock
}

func newNotMatcher(t table, child matcher, c *clock) *notMatcher {
	m := &notMatcher{all: newAllMatcher(t), child: child, clock: c}
	m.settle()
	return m
}

func (m *notMatcher) seek(target uint64) uint64 {
	if m.all.number < target {
		m.all.seek(target)
		m.settle()
	}
	return m.all.number
}

func (m *notMatcher) settle() {
	for m.all.number != none && m.child.seek(m.all.number) == m.all.number {
		if m.clock.tick() {
			m.all.number = none
			return
		}
		m.all.seek(m.all.number + 1)
	}
}

// andMatcher matches what all its children do.
type andMatcher struct {
	children []matcher
	number   uint64
	clock    *clock
}

func (m *andMatcher) begin(children []matcher) {
	m.children = children
	m.seek(1)
}

func (m *andMatcher) seek(target uint64) uint64 {
	if m.number < target {
		m.number = together(m.children, target, m.clock)
	}
	return m.number
}

// orMatcher matches what any of its children does.
type orMatcher struct {
	children []matcher
	number   uint64
}

func newOrMatcher(children []matcher) *orMatcher {
	m := &orMatcher{children: children}
	m.seek(1)
	return m
}

func (m *orMatcher) seek(target uint64) uint64 {
	if m.number < target {
		m.number = none
		for _, child := range m.children {
			m.number = min(m.number, child.seek(target))
		}
	}
	return m.number
}

// together finds the first number from target on at which all matchers stand.
func together[M matcher](all []M, target uint64, c *clock) uint64 {
	if len(all) == 0 {
		return none
	}
	for agreed := 0; agreed < len(all); {
		agreed = 0
		for _, m := range all {
			number := m.seek(target)
			if number == none || c.tick() {
				return none
			}
			if number > target {
				target = number
				break
			}
			agreed++
		}
	}
	return target
}
