package pki

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Cluster stores bundles as Secrets of one Kubernetes namespace, by the API
// server's HTTPS interface and the service account of the pod. It needs the
// verbs get, create and patch on the Secrets that it makes, and nothing else:
// it writes by server-side apply, whose request carries the name, so that a
// Role can tie the creation to it too.
//
// Secrets that it did not make are not touched: they lack its label. Make it
// with InCluster.
type Cluster struct {
	URL       string // of the API server
	Namespace string
	Token     string
	HTTP      *http.Client
	Manager   string            // this run, as the owner of fields; no other run may have its name
	versions  map[string]string // resource version by Secret, as last loaded
}

// ManagedBy is the value of app.kubernetes.io/managed-by on our Secrets.
const ManagedBy = "flotilla-pki"

const managedByLabel = "app.kubernetes.io/managed-by"

// maxAnswer bounds what is read of an answer; a Secret is at most 1 MiB.
const maxAnswer = 4 << 20

// SecretName is the Secret of a bundle: `ssl` for the edge, as in the book.
func SecretName(bundle string) string {
	switch bundle {
	case Edge:
		return "ssl"
	case DevelopmentCA:
		return "development-ca"
	case InternalCA:
		return InternalCA
	}
	if secret, is := strings.CutPrefix(bundle, secretsPrefix); is {
		return secret
	}
	return bundle + "-tls"
}

// InCluster reads the service account that Kubernetes mounts into a pod.
// hostPort is the API server's, from KUBERNETES_SERVICE_HOST and _PORT.
func InCluster(hostPort, accountDir string) (*Cluster, error) {
	token, err := os.ReadFile(filepath.Join(accountDir, "token"))
	if err != nil {
		return nil, fmt.Errorf("read service account: %w", err)
	}
	ca, err := os.ReadFile(filepath.Join(accountDir, "ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("read service account: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("read service account: %s holds no certificate", filepath.Join(accountDir, "ca.crt"))
	}
	namespace, err := os.ReadFile(filepath.Join(accountDir, "namespace"))
	if err != nil {
		return nil, fmt.Errorf("read service account: %w", err)
	}
	if _, _, err := net.SplitHostPort(hostPort); err != nil {
		return nil, fmt.Errorf("address of the API server: %w", err)
	}
	return &Cluster{
		URL: "https://" + hostPort, Namespace: strings.TrimSpace(string(namespace)), Token: strings.TrimSpace(string(token)),
		Manager: ManagedBy + "-" + rand.Text(),
		HTTP: &http.Client{
			Timeout:   10 * time.Second,
			Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
		},
	}, nil
}

// secret is the part of a Secret that matters here.
type secret struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Metadata   metadata          `json:"metadata"`
	Type       string            `json:"type"`
	Data       map[string][]byte `json:"data"` // base64, by encoding/json
}

type metadata struct {
	Name            string            `json:"name"`
	Namespace       string            `json:"namespace"`
	Labels          map[string]string `json:"labels,omitempty"`
	ResourceVersion string            `json:"resourceVersion,omitempty"`
}

// Load reads a Secret.
func (c *Cluster) Load(ctx context.Context, name string) (Bundle, error) {
	var s secret
	err := c.call(ctx, http.MethodGet, c.path(SecretName(name)), nil, &s)
	if err != nil {
		return Bundle{}, err
	}
	if s.Metadata.Labels[managedByLabel] != ManagedBy {
		return Bundle{}, fmt.Errorf("secret %s: %w", SecretName(name), ErrForeign)
	}
	if c.versions == nil {
		c.versions = map[string]string{}
	}
	c.versions[name] = s.Metadata.ResourceVersion
	return Bundle{Cert: s.Data["tls.crt"], Key: s.Data["tls.key"], CA: s.Data["ca.crt"], Internal: s.Data["internal-ca.crt"], Random: s.Data[randomKey]}, nil
}

// randomKey is the key of a random secret in its Secret.
const randomKey = "secret"

// Save creates a Secret, or replaces the fields of the version that Load saw.
//
// Two runs may create at once: then both apply without force, and the second
// one meets fields that another manager owns, with other values. That is a
// conflict, as is a version that is not the newest any more.
func (c *Cluster) Save(ctx context.Context, name string, b Bundle) error {
	s := secret{
		APIVersion: "v1", Kind: "Secret", Type: "kubernetes.io/tls",
		Metadata: metadata{
			Name: SecretName(name), Namespace: c.Namespace, ResourceVersion: c.versions[name],
			Labels: map[string]string{managedByLabel: ManagedBy, "app.kubernetes.io/part-of": "flotilla"},
		},
		Data: map[string][]byte{"tls.crt": b.Cert, "tls.key": b.Key},
	}
	if b.CA != nil {
		s.Data["ca.crt"], s.Data["internal-ca.crt"] = b.CA, b.Internal
	}
	if b.Random != nil {
		s.Type, s.Data = "Opaque", map[string][]byte{randomKey: b.Random}
	}
	delete(c.versions, name) // it will be another one
	query := url.Values{"fieldManager": {c.Manager}, "force": {strconv.FormatBool(s.Metadata.ResourceVersion != "")}}
	return c.call(ctx, http.MethodPatch, c.path(s.Metadata.Name)+"?"+query.Encode(), s, nil)
}

func (c *Cluster) path(name string) string {
	return "/api/v1/namespaces/" + c.Namespace + "/secrets/" + name
}

// call makes one request and maps its status.
func (c *Cluster) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.URL+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	if in != nil {
		req.Header.Set("Content-Type", "application/apply-patch+yaml") // JSON is YAML
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return fmt.Errorf("ask the API server: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read answer of the API server: %w", err)
	}
	switch {
	case resp.StatusCode == http.StatusNotFound && method == http.MethodGet:
		return ErrAbsent
	case resp.StatusCode == http.StatusConflict:
		return ErrConflict
	case resp.StatusCode/100 != 2:
		return refusal(method, path, resp.Status, answer)
	case out == nil:
		return nil
	}
	return json.Unmarshal(answer, out)
}

// refusal quotes the API server's own reason, which names the missing right.
func refusal(method, path, status string, answer []byte) error {
	var reason struct{ Message string }
	if json.Unmarshal(answer, &reason) != nil || reason.Message == "" {
		return fmt.Errorf("%s %s: %s", method, path, status)
	}
	return errors.New(reason.Message)
}
