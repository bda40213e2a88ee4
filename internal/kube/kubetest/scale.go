package kubetest

import "net/http"

// scale is that of a workload; the mutex is held.
func (s *Server) scale(key string) Object {
	o := s.objects[key]
	meta := metadata(o)
	scaled := Object{"replicas": ordered(o)}
	if ordered(o) == 0 {
		scaled = Object{} // as the API server leaves zeros out
	}
	return Object{
		"kind": "Scale", "apiVersion": "autoscaling/v1", "spec": scaled, "status": Object{"replicas": ordered(o), "selector": "app=" + key},
		"metadata": Object{"name": meta["name"], "namespace": Namespace, "resourceVersion": meta["resourceVersion"]},
	}
}

// ordered is the number that a workload or its scale orders.
func ordered(o Object) int {
	spec, _ := o["spec"].(Object)
	switch n := spec["replicas"].(type) {
	case int:
		return n
	case float64:
		return int(n)
	}
	return 0
}

// Replicas tells how many replicas of a workload are ordered, and how many are ready.
func (s *Server) Replicas(key string) (want, ready int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ordered(s.objects[key]), readyOf(s.objects[key])
}

func readyOf(o Object) int {
	status, _ := o["status"].(Object)
	ready, _ := status["readyReplicas"].(int)
	return ready
}

func (s *Server) getScale(w http.ResponseWriter, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.objects[key] == nil {
		notFound(w, key)
		return
	}
	answer(w, http.StatusOK, s.scale(key))
}

// updateScale writes a scale. Its replicas are not ready before the test says so; those that go are not ready any more.
func (s *Server) updateScale(w http.ResponseWriter, r *http.Request, key string) {
	scale, _, version := decode(w, r)
	if scale == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[key]
	switch {
	case o == nil:
		notFound(w, key)
		return
	case scale["kind"] != "Scale" || metadata(scale)["name"] != metadata(o)["name"]:
		Status(w, http.StatusBadRequest, "this is no Scale of "+key)
		return
	case version != metadata(o)["resourceVersion"]:
		Status(w, http.StatusConflict, modified)
		return
	}
	n := ordered(scale)
	s.put(key, Workload(n, min(readyOf(o), n)))
	answer(w, http.StatusOK, s.scale(key))
}

// Workload is a Deployment or StatefulSet with replicas that are ordered and some that are ready.
func Workload(ordered, ready int) Object {
	return Object{"spec": Object{"replicas": ordered}, "status": Object{"readyReplicas": ready}}
}
