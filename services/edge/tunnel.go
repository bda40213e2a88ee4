package edge

// tunnel lets client and replica speak another protocol after a 101.
func (c *conn) tunnel(r *route) {
	c.metrics.upgraded.Inc()
	defer c.metrics.upgraded.Dec()
	sent, err := c.Tunnel()
	if err != nil {
		c.gaveUp(r)
		return
	}
	c.entry.sent = sent
	c.finish(r, &c.entry, c.span)
}
