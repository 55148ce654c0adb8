package place

import (
	"strings"
	"testing"

	"github.com/caddyserver/certmagic"
)

type silent struct{ certmagic.Storage }

type named struct {
	certmagic.Storage
	name string
}

func (n named) String() string { return n.name }

type alsoNamed struct{ named }

func TestName(t *testing.T) {
	name := func(s certmagic.Storage) string { n, _ := Name(s); return n }
	for _, row := range []struct {
		name          string
		a, b          certmagic.Storage
		same, certain bool
	}{
		{"a file storage is known by its folder", &certmagic.FileStorage{Path: "/data"}, &certmagic.FileStorage{Path: "/data/"}, true, true},
		{"another folder is another storage", &certmagic.FileStorage{Path: "/data"}, &certmagic.FileStorage{Path: "/data/x"}, false, true},
		{"a storage that says which it is is known by that", named{nil, "redis://a"}, named{nil, "redis://a"}, true, true},
		{"another name is another storage", named{nil, "redis://a"}, named{nil, "redis://b"}, false, true},
		{"another type is another storage", named{nil, "redis://a"}, alsoNamed{named{nil, "redis://a"}}, false, true},
		{"one that says nothing is known by its type, which is not certain", silent{}, silent{}, true, false},
		{"one that has no name when asked is known by its type, which is not certain", named{nil, ""}, named{nil, ""}, true, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, certain := Name(row.a)
			if same := name(row.a) == name(row.b); same != row.same || certain != row.certain {
				t.Errorf("got %q and %q, certain %v", name(row.a), name(row.b), certain)
			}
		})
	}
}

func TestPrefix(t *testing.T) {
	const issuer = "https://id.example.com"
	t.Run("it is what earlier versions stored under", func(t *testing.T) {
		if got := Prefix(issuer); got != "oidc_token/3d38e146cf9fbc8cec9ac1a3b041c934" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("F29 issuers have their own, which do not differ by case alone", func(t *testing.T) {
		a, b := Prefix(issuer), Prefix("https://ID.example.com")
		if strings.EqualFold(a, b) {
			t.Errorf("both have %s", a)
		}
	})
	t.Run("a place has both names", func(t *testing.T) {
		p, certain := Of(&certmagic.FileStorage{Path: "/data"}, issuer)
		if name, _ := Name(&certmagic.FileStorage{Path: "/data"}); p != (Place{name, Prefix(issuer)}) || !certain {
			t.Errorf("got %+v, %v", p, certain)
		}
	})
}
