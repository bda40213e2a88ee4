package wire

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func header(owner, token, version string) http.Header {
	return http.Header{OwnerHeader: {owner}, TokenHeader: {token}, VersionHeader: {version}}
}

func TestAClaimIsReadAsItIsWritten(t *testing.T) {
	want := Claim{Owner: "ownership-1@10.0.0.1:8104#abc", Token: 18446744073709551615, Version: "12-7fff"}
	h := http.Header{}
	want.Put(h)
	if got, err := ParseClaim(h); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAClaimNeedsAllItsFieldsOnce(t *testing.T) {
	twice := header("o@h:1#r", "1", "v")
	twice.Add(TokenHeader, "2")
	for name, h := range map[string]http.Header{
		"nothing":           {},
		"two tokens":        twice,
		"token 0":           header("o@h:1#r", "0", "v"),
		"a negative token":  header("o@h:1#r", "-1", "v"),
		"a token too large": header("o@h:1#r", "18446744073709551616", "v"),
		"no owner":          header("", "1", "v"),
		"an owner unnamed":  header("o", "1", "v"),
		"no version":        header("o@h:1#r", "1", ""),
		"a long version":    header("o@h:1#r", "1", strings.Repeat("v", 129)),
	} {
		if c, err := ParseClaim(h); err == nil {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

func TestAnOrderIsChecked(t *testing.T) {
	right := Order{ID: "a", Account: "alice", Amount: -5, Balance: 0, Version: 1, Sequence: 1}
	if err := right.Check(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Order){
		"id": func(o *Order) { o.ID = "" }, "account": func(o *Order) { o.Account = "a/b" }, "amount": func(o *Order) { o.Amount = 0 },
		"balance": func(o *Order) { o.Balance = -1 }, "version": func(o *Order) { o.Version = 0 },
	} {
		wrong := right
		change(&wrong)
		if err := wrong.Check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseClaim(f *testing.F) {
	f.Add("ownership-1@10.0.0.1:8104#abc", "12", "12-7fff")
	f.Add("@#", "00012", " ")
	f.Fuzz(func(t *testing.T, owner, token, version string) {
		c, err := ParseClaim(header(owner, token, version))
		if err != nil {
			return
		}
		h := http.Header{}
		c.Put(h)
		if again, err := ParseClaim(h); err != nil || again != c || c.Token == 0 {
			t.Errorf("%+v, then %+v, %v", c, again, err)
		}
	})
}

func FuzzOrder(f *testing.F) {
	f.Add([]byte(`{"id":"a","account":"alice","amount":5,"balance":5,"version":1,"sequence":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var o Order
		if json.Unmarshal(text, &o) != nil || o.Check() != nil {
			return
		}
		if o.Amount == 0 || o.Balance < 0 || o.ID == "" || strings.ContainsAny(o.Account, "/?#") {
			t.Errorf("%+v", o)
		}
	})
}
