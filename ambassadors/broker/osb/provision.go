package osb

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/flotilla-dev/flotilla/ambassadors/broker/binding"
	"github.com/flotilla-dev/flotilla/internal/retry"
)

// Order is what is asked for.
type Order struct {
	Client  *Client
	Service string // name or id
	Plan    string // name or id; "" where there is one only
	Name    string // of what uses it: the identifiers are derived from it
	Kind    string // the entry type of the binding, as in mysql
	// Parameters of the service, as JSON object, or nil.
	Parameters json.RawMessage
	// Poll is how often an operation is asked for where the broker does not say.
	Poll time.Duration
}

// ids of instance and binding. The plan is no part of them: another plan for the
// same application is a conflict that the broker tells of, not a second, empty
// database.
func (o Order) ids() (instance, bound string) {
	derive := func(what string) string {
		digest := sha256.Sum256([]byte(what + "\x00" + o.Service + "\x00" + o.Name))
		id, _ := uuid.FromBytes(digest[:16])            // sixteen bytes are always one
		id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // version 8: made by a rule of one's own
		return id.String()
	}
	return derive("instance"), derive("binding")
}

// Provision asks once for an instance and a binding to it, and waits for both as
// long as ctx lets it. An *Error says that asking again is of no use.
func (o Order) Provision(ctx context.Context) (binding.Entries, error) {
	service, plan, err := o.Client.Find(ctx, o.Service, o.Plan)
	if err != nil {
		return nil, err
	}
	instance, bound := o.ids()
	if plan.MaximumDuration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(plan.MaximumDuration)*time.Second)
		defer cancel()
	}
	body := map[string]any{
		"service_id": service.ID, "plan_id": plan.ID,
		"organization_guid": "flotilla", "space_guid": "flotilla", // required, though deprecated
		"context": map[string]any{"platform": "flotilla", "instance_name": o.Name},
	}
	if o.Parameters != nil {
		body["parameters"] = o.Parameters
	}
	path := "/v2/service_instances/" + instance
	ids := url.Values{"service_id": {service.ID}, "plan_id": {plan.ID}}
	if _, err := o.make(ctx, "provision", path, ids, body); err != nil {
		return nil, err
	}
	path += "/service_bindings/" + bound
	answer, err := o.make(ctx, "bind", path, ids, map[string]any{"service_id": service.ID, "plan_id": plan.ID})
	if err != nil {
		return nil, err
	}
	return o.entries(answer, service, plan, instance, bound)
}

// make puts a resource and waits until it is there. It returns the last answer
// that describes it.
func (o Order) make(ctx context.Context, doing, path string, ids url.Values, body any) (Answer, error) {
	answer, err := o.Client.ask(ctx, http.MethodPut, path, url.Values{"accepts_incomplete": {"true"}}, body)
	if err != nil {
		return answer, err
	}
	switch answer.Status {
	case http.StatusOK, http.StatusCreated: // is there, was made
		return answer, nil
	case http.StatusAccepted:
	default:
		return answer, refused(doing, answer)
	}
	if err := o.await(ctx, doing, path, answer, ids); err != nil {
		return answer, err
	}
	if doing == "provision" {
		return answer, nil
	}
	// What a binding made meanwhile holds has to be fetched.
	answer, err = o.Client.ask(ctx, http.MethodGet, path, ids, nil)
	if err == nil && answer.Status != http.StatusOK {
		err = refused("fetch the binding", answer)
	}
	return answer, err
}

// await polls an operation until it has ended.
func (o Order) await(ctx context.Context, doing, path string, begun Answer, ids url.Values) error {
	query := url.Values{"service_id": ids["service_id"], "plan_id": ids["plan_id"]}
	if begun.Operation != "" {
		query.Set("operation", begun.Operation)
	}
	wait := max(begun.RetryAfter, o.Poll)
	for {
		if err := retry.Sleep(ctx, wait); err != nil {
			return fmt.Errorf("%s: the broker was still at it: %w", doing, err)
		}
		answer, err := o.Client.ask(ctx, http.MethodGet, path+"/last_operation", query, nil)
		wait = max(answer.RetryAfter, o.Poll)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%s: the broker was still at it: %w", doing, ctx.Err())
		case err != nil, answer.Status >= 500, answer.Status == http.StatusTooManyRequests:
			continue // the operation goes on, whether we can ask or not
		case answer.Status != http.StatusOK:
			return refused(doing, answer)
		case answer.State == "succeeded":
			return nil
		case answer.State == "failed":
			return fmt.Errorf("%s: the broker says that it failed: %.300s", doing, answer.Description)
		}
	}
}

// entries makes a service binding of credentials, whose shape is the service's
// own: names that are common are put into the entries that are well known.
func (o Order) entries(a Answer, s Service, p Plan, instance, bound string) (binding.Entries, error) {
	e := binding.Entries{}
	for name, value := range a.Credentials {
		if text, ok := scalar(value); ok && binding.Fits(alias(name), text) && len(e) < maxCredentials {
			e[alias(name)] = text
		}
	}
	maps.Copy(e, binding.Entries{"type": o.Kind, "provider": s.Name, "plan": p.Name, "instance-id": instance, "binding-id": bound})
	if _, err := e.Addresses("1"); err != nil {
		return nil, permanent(fmt.Errorf("bind: of the credentials, %w", err))
	}
	return e, nil
}

// maxCredentials bounds what is taken of them.
const maxCredentials = 32

// alias is the well-known name of an entry.
func alias(name string) string {
	switch name {
	case "hostname":
		return "host"
	case "user":
		return "username"
	case "name", "dbname":
		return "database"
	}
	return name
}

func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// Permanent tells whether asking again is of no use.
func Permanent(err error) bool {
	var e *Error
	return errors.As(err, &e)
}
