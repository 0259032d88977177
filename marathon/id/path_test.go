package id

import (
	"slices"
	"testing"
)

func TestPathsAreMadeAbsolute(t *testing.T) {
	for _, c := range []struct{ raw, base, want string }{
		{"web", "/", "/web"}, {"web", "/shop", "/shop/web"}, {"/web", "/shop", "/web"}, {"../db", "/shop/eu", "/shop/db"},
		{"../../../x", "/a", "/x"}, {"//a//b/", "/", "/a/b"}, {"./a/./b", "/", "/a/b"}, {"", "/a", "/a"}, {"/", "/a", "/"}, {"/..", "/", "/"},
	} {
		if got := Resolve(c.raw, Path(c.base)); got.String() != c.want {
			t.Errorf("%q below %q: got %q, want %q", c.raw, c.base, got, c.want)
		}
	}
}

func TestPartsOfPaths(t *testing.T) {
	p := Path("/shop/eu/web")
	if p.Parent() != "/shop/eu" || p.Name() != "web" || p.First() != "shop" || p.Depth() != 3 || p.Safe() != "shop_eu_web" ||
		p.HostPath() != "web.eu.shop" || FromSafe("shop_eu_web") != p || p.IsTopLevel() || p.Child("x") != "/shop/eu/web/x" {
		t.Error("wrong parts")
	}
	if !slices.Equal(p.Parents(), []Path{"/shop/eu", "/shop", "/"}) || Root.Parents() != nil {
		t.Errorf("parents: %v", p.Parents())
	}
	if !p.IsBelow("/shop") || p.IsBelow("/sho") || p.IsBelow(p) || !p.IsBelow(Root) || Root.IsBelow(Root) {
		t.Error("wrong ancestors")
	}
	if Root.Parent() != Root || Root.Depth() != 0 || Root.Safe() != "" || Root.Name() != "" || FromSafe("") != Root || Root.Child("a") != "/a" {
		t.Error("wrong root")
	}
}
