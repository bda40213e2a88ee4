package replicas

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/flotilla-dev/flotilla/internal/kube"
)

// Kubernetes scales Deployments and StatefulSets. A service is written deployment/name or statefulset/name.
type Kubernetes struct{ API *kube.Client }

// Service is what the name of a service must be.
var Service = regexp.MustCompile(`^(deployment|statefulset)/[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)

// workload is what matters of a Deployment or StatefulSet.
type workload struct {
	Spec struct {
		Replicas *int `json:"replicas"` // 1 when it is not said
	} `json:"spec"`
	Status struct {
		Ready int `json:"readyReplicas"`
	} `json:"status"`
}

func (k *Kubernetes) path(service string, sub ...string) string {
	kind, name, _ := strings.Cut(service, "/")
	return k.API.Path("apps/v1", kind+"s", append([]string{name}, sub...)...)
}

// Count counts the replicas of services.
func (k *Kubernetes) Count(ctx context.Context, services ...string) (map[string]Count, error) {
	found := map[string]Count{}
	for _, service := range services {
		var w workload
		if err := k.API.Get(ctx, k.path(service), &w); err != nil {
			return nil, fmt.Errorf("count replicas of %s: %w", service, err)
		}
		c := Count{Want: 1, Ready: w.Status.Ready}
		if w.Spec.Replicas != nil {
			c.Want = *w.Spec.Replicas
		}
		found[service] = c
	}
	return found, nil
}

// Scale changes the number that was ordered. It does not wait for the replicas: Count tells.
func (k *Kubernetes) Scale(ctx context.Context, service string, from, to int) error {
	path := k.path(service, "scale")
	var scale map[string]any // what is not known here is written back as it was
	if err := k.API.Get(ctx, path, &scale); err != nil {
		return fmt.Errorf("scale %s: %w", service, err)
	}
	spec, is := scale["spec"].(map[string]any)
	if !is {
		spec = map[string]any{} // of zero replicas nothing may be said
	}
	if n, _ := spec["replicas"].(float64); int(n) != from {
		return fmt.Errorf("%s has %d replicas, not %d: %w", service, int(n), from, ErrChanged)
	}
	spec["replicas"] = to
	scale["spec"] = spec
	err := k.API.Update(ctx, path, scale, nil) // with the resourceVersion that was read
	if errors.Is(err, kube.ErrConflict) {
		return fmt.Errorf("%s: %w", service, ErrChanged)
	}
	if err != nil {
		return fmt.Errorf("scale %s: %w", service, err)
	}
	return nil
}
