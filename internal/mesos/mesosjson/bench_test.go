package mesosjson

import (
	"testing"

	"google.golang.org/protobuf/proto"
)

// biggest returns the longest recorded body of a message type, read.
func biggest(b *testing.B, kind, name string) (sample, proto.Message) {
	b.Helper()
	var found sample
	for _, s := range samples(b, kind) {
		if s.Type == name && len(s.Text) > len(found.Text) {
			found = s
		}
	}
	m := found.message(b)
	if err := Unmarshal([]byte(found.Text), m, found.dialect()); err != nil {
		b.Fatal(err)
	}
	return found, m
}

func BenchmarkAppend(b *testing.B) {
	for _, name := range []string{"mesos.v1.scheduler.Event", "mesos.v1.master.Response"} {
		b.Run(name, func(b *testing.B) {
			s, m := biggest(b, "json", name)
			buf := Append(nil, m, s.dialect())
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			for b.Loop() {
				buf = Append(buf[:0], m, s.dialect())
			}
		})
	}
}

func BenchmarkAppendSorted(b *testing.B) {
	s, m := biggest(b, "json", "mesos.v1.scheduler.Event")
	buf := AppendSorted(nil, m, s.dialect())
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendSorted(buf[:0], m, s.dialect())
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	for _, name := range []string{"mesos.v1.scheduler.Event", "mesos.v1.master.Response"} {
		b.Run(name, func(b *testing.B) {
			s, m := biggest(b, "json", name)
			data := []byte(s.Text)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if err := Unmarshal(data, m, s.dialect()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendDouble(b *testing.B) {
	var buf []byte
	values := []float64{0, 1, 0.1, 1024, 1566312345.678901, 0.1 + 0.2, 5e-324, 1.7976931348623157e308}
	b.ReportAllocs()
	for b.Loop() {
		for _, v := range values {
			buf = AppendDouble(buf[:0], v)
		}
	}
}

func BenchmarkDocument(b *testing.B) {
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = buf[:0]
		o := BeginObject(&buf)
		o.String("id", "b8c1-S0")
		o.Double("cpus", 4)
		list := o.Array("ports")
		for i := range int64(10) {
			list.Int(i)
		}
		list.End()
		o.End()
	}
}
