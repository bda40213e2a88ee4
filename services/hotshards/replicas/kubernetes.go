package replicas

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/flotilla-dev/flotilla/internal/watch"
)

// Kubernetes scales Deployments and StatefulSets. A service is written deployment/name or statefulset/name.
type Kubernetes struct {
	Client    *http.Client
	URL       string // as in https://kubernetes.default.svc
	Namespace string
	TokenFile string
	Timeout   time.Duration // of one call
}

// maxObject bounds an object.
const maxObject = 1 << 20

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

// Count counts the replicas of services.
func (k *Kubernetes) Count(ctx context.Context, services ...string) (map[string]Count, error) {
	found := map[string]Count{}
	for _, service := range services {
		var w workload
		if err := k.call(ctx, http.MethodGet, service, "", nil, &w); err != nil {
			return nil, err
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
	var scale map[string]any // what is not known here is written back as it was
	if err := k.call(ctx, http.MethodGet, service, "/scale", nil, &scale); err != nil {
		return err
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
	body, err := json.Marshal(scale) // with the resourceVersion that was read
	if err != nil {
		return fmt.Errorf("write the scale of %s: %w", service, err)
	}
	return k.call(ctx, http.MethodPut, service, "/scale", body, nil)
}

func (k *Kubernetes) call(ctx context.Context, method, service, sub string, body []byte, into any) error {
	ctx, cancel := context.WithTimeout(ctx, k.Timeout)
	defer cancel()
	kind, name, _ := strings.Cut(service, "/")
	address := fmt.Sprintf("%s/apis/apps/v1/namespaces/%s/%ss/%s%s", k.URL, url.PathEscape(k.Namespace), url.PathEscape(kind), url.PathEscape(name), sub)
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask for %s: %w", service, err)
	}
	r.Header.Set("Accept", "application/json")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if k.TokenFile != "" {
		token, err := watch.Read(k.TokenFile)
		if err != nil {
			return fmt.Errorf("read the token of the service account: %w", err)
		}
		r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	resp, err := k.Client.Do(r)
	if err != nil {
		return fmt.Errorf("ask for %s: %w", service, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxObject))
	switch {
	case err != nil:
		return fmt.Errorf("read %s: %w", service, err)
	case resp.StatusCode == http.StatusConflict:
		return fmt.Errorf("%s: %w", service, ErrChanged)
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("ask for %s: %s: %s", service, resp.Status, reason(text))
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("read %s: %w", service, err)
	}
	return nil
}

// reason reads the message of a Status.
func reason(text []byte) string {
	var s struct{ Message string }
	if json.Unmarshal(text, &s) != nil || s.Message == "" {
		return "no Status"
	}
	return s.Message
}
