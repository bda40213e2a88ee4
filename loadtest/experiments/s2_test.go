package experiments

import (
	"strings"
	"testing"
)

func TestWhatIsHalfIsSeen(t *testing.T) {
	for i := range 20 {
		text := string(checked(i))
		if !wholeFile(text) {
			t.Fatalf("%.80q is not whole", text)
		}
		page := strings.NewReplacer("greeting = ", "", "motd = ", "").Replace(text)
		if !wholePage(page) {
			t.Fatalf("%.80q is not whole", page)
		}
		for _, half := range []string{"", text[:len(text)/2], text[:len(text)-1], text[:70] + string(checked(i + 1))[70:]} {
			if wholeFile(half) {
				t.Errorf("%.80q is taken for whole", half)
			}
		}
		if wholePage(page[:len(page)-5]) {
			t.Error("half a page is taken for whole")
		}
	}
}

func TestOtherAddressesAreNotTheApplications(t *testing.T) {
	all, err := otherAddresses()
	if err != nil || len(all) == 0 || all[0] != "127.0.0.2" {
		t.Fatalf("%v, %v", all, err)
	}
	for _, a := range all {
		if a == "127.0.0.1" {
			t.Error("it is among the others")
		}
	}
}
