package configapi

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime"
	"path"
	"strings"
	"time"
)

// Version is what is told of a version of a configuration.
type Version struct {
	Version     int64     `json:"version"`
	ETag        string    `json:"etag"`
	SHA256      string    `json:"sha256"`
	Size        int       `json:"size"` // bytes
	ContentType string    `json:"content_type"`
	Created     time.Time `json:"created,omitzero"`
	RollbackOf  int64     `json:"rollback_of,omitempty"` // the version whose bytes these are again
}

// newVersion describes content. What is not known of it, because somebody wrote
// to etcd past the API, is left out.
func newVersion(number int64, content []byte) Version {
	sum := sha256.Sum256(content)
	digest := hex.EncodeToString(sum[:])
	return Version{Version: number, ETag: fmt.Sprintf(`"%d-%s"`, number, digest[:16]), SHA256: digest, Size: len(content)}
}

// types are those of configurations, by the last part of a name.
var types = map[string]string{
	".json": "application/json", ".yaml": "application/yaml", ".yml": "application/yaml", ".toml": "application/toml",
	".ini": "text/plain; charset=utf-8", ".conf": "text/plain; charset=utf-8", ".txt": "text/plain; charset=utf-8",
}

// typeByName is the type of content that was sent without one.
func typeByName(name string) string {
	if known, ok := types[path.Ext(name)]; ok {
		return known
	}
	return "application/octet-stream"
}

const maxType = 200 // bytes

// checkType says whether a Content-Type can be kept.
func checkType(value string) bool {
	_, _, err := mime.ParseMediaType(value)
	return err == nil && len(value) <= maxType && !strings.ContainsAny(value, "\r\n")
}

// matches tells whether an If-Match or If-None-Match names an entity tag. A weak
// tag is never ours.
func matches(field, etag string) bool {
	for one := range strings.SplitSeq(field, ",") {
		if one = strings.TrimSpace(one); one == "*" && etag != "" || one == etag && etag != "" {
			return true
		}
	}
	return false
}
