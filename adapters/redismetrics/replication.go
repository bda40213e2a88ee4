package redismetrics

import "github.com/flotilla-dev/flotilla/adapters/redismetrics/info"

// replication tells a master of its replicas, and a replica of its master.
func (s *sink) replication(i *info.Info) {
	for _, g := range i.Groups(info.Replicas) {
		ip, port, state := g.Get("ip"), g.Get("port"), g.Get("state")
		if ip == "" { // before Redis 2.8: ip,port,state
			continue
		}
		if v, ok := g.Number("offset"); ok {
			s.gauge("connected_slave_offset_bytes", v, ip, port, state)
		}
		if v, ok := g.Number("lag"); ok {
			s.gauge("connected_slave_lag_seconds", v, ip, port, state)
		}
	}
	if !i.Has("master_host") {
		return
	}
	host, port := i.Text("master_host"), i.Text("master_port")
	for _, f := range [][2]string{{"master_link_status", "master_link_up"}, {"master_last_io_seconds_ago", "master_last_io_seconds_ago"},
		{"master_sync_in_progress", "master_sync_in_progress"}, {"slave_repl_offset", "slave_repl_offset"}} {
		if v, ok := i.Number(f[0]); ok {
			s.gauge(f[1], v, host, port)
		}
	}
	s.gauge("slave_info", 1, host, port, i.Text("slave_read_only"))
}
