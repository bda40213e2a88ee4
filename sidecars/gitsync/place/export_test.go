package place

// Has lets tests ask whether a revision is there, whole.
func (p *Place) Has(name string) bool { return p.has(name) }
