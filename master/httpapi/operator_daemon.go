package httpapi

import (
	"maps"
	"slices"

	"stoa/internal/auth"
	"stoa/internal/files"
	"stoa/internal/httpd"
	"stoa/internal/mesos/masterpb"
	"stoa/internal/mesos/mesospb"

	"google.golang.org/protobuf/proto"
)

// readDaemon answers the calls about the daemon itself and its files. It says whether the
// call was one of them.
func (s *server) readDaemon(a answer, kind masterpb.Call_Type, call *masterpb.Call) bool {
	switch kind {
	case masterpb.Call_GET_HEALTH:
		a.message(&masterpb.Response{
			Type:      masterpb.Response_GET_HEALTH.Enum(),
			GetHealth: &masterpb.Response_GetHealth{Healthy: proto.Bool(true)},
		})
	case masterpb.Call_GET_FLAGS:
		if !s.allowed(a.c, auth.ViewFlags, nil) {
			break
		}
		list := &masterpb.Response_GetFlags{}
		for _, name := range slices.Sorted(maps.Keys(s.config.Flags)) {
			list.Flags = append(list.Flags, &mesospb.Flag{Name: proto.String(name), Value: proto.String(s.config.Flags[name])})
		}
		a.message(&masterpb.Response{Type: masterpb.Response_GET_FLAGS.Enum(), GetFlags: list})
	case masterpb.Call_GET_VERSION:
		a.message(&masterpb.Response{
			Type:       masterpb.Response_GET_VERSION.Enum(),
			GetVersion: &masterpb.Response_GetVersion{VersionInfo: s.config.Build},
		})
	case masterpb.Call_GET_METRICS:
		snapshot, ok := s.snapshot(a.c)
		if !ok {
			break
		}
		m := s.readMetrics(snapshot)
		list := &masterpb.Response_GetMetrics{}
		for _, name := range slices.Sorted(maps.Keys(m)) {
			list.Metrics = append(list.Metrics, &mesospb.Metric{Name: proto.String(name), Value: proto.Float64(m[name])})
		}
		a.message(&masterpb.Response{Type: masterpb.Response_GET_METRICS.Enum(), GetMetrics: list})
	case masterpb.Call_GET_LOGGING_LEVEL:
		a.message(&masterpb.Response{
			Type:            masterpb.Response_GET_LOGGING_LEVEL.Enum(),
			GetLoggingLevel: &masterpb.Response_GetLoggingLevel{Level: proto.Uint32(uint32(s.config.Verbosity()))},
		})
	case masterpb.Call_GET_MASTER:
		m := &masterpb.Response_GetMaster{MasterInfo: s.config.Info, StartTime: proto.Float64(seconds(s.config.Started))}
		if !s.config.Elected.IsZero() {
			m.ElectedTime = proto.Float64(seconds(s.config.Elected))
		}
		a.message(&masterpb.Response{Type: masterpb.Response_GET_MASTER.Enum(), GetMaster: m})
	case masterpb.Call_LIST_FILES:
		s.listFiles(a, call.GetListFiles().GetPath())
	case masterpb.Call_READ_FILE:
		s.readFile(a, call.GetReadFile())
	default:
		return false
	}
	return true
}

func (s *server) listFiles(a answer, path string) {
	if !s.config.Files.Allowed(path, httpd.Principal(a.c)) {
		httpd.Forbidden(a.c)
		return
	}
	list, err := s.config.Files.List(path)
	if err != nil {
		files.Refuse(a.c, err)
		return
	}
	infos := &masterpb.Response_ListFiles{}
	for _, f := range list {
		infos.FileInfos = append(infos.FileInfos, &mesospb.FileInfo{
			Path:  proto.String(f.Path),
			Nlink: proto.Int32(int32(f.Links)),
			Size:  proto.Uint64(uint64(f.Size)),
			Mtime: &mesospb.TimeInfo{Nanoseconds: proto.Int64(f.MTime.Unix() * 1e9)},
			Mode:  proto.Uint32(f.Mode),
			Uid:   proto.String(f.User),
			Gid:   proto.String(f.Group),
		})
	}
	a.message(&masterpb.Response{Type: masterpb.Response_LIST_FILES.Enum(), ListFiles: infos})
}

func (s *server) readFile(a answer, call *masterpb.Call_ReadFile) {
	if !s.config.Files.Allowed(call.GetPath(), httpd.Principal(a.c)) {
		httpd.Forbidden(a.c)
		return
	}
	length := int64(-1)
	if call.Length != nil {
		length = int64(min(call.GetLength(), 1<<62))
	}
	size, data, err := s.config.Files.Read(call.GetPath(), call.GetOffset(), length)
	if err != nil {
		files.Refuse(a.c, err)
		return
	}
	if data == nil {
		data = []byte{} // the field is required
	}
	a.message(&masterpb.Response{
		Type:     masterpb.Response_READ_FILE.Enum(),
		ReadFile: &masterpb.Response_ReadFile{Size: proto.Uint64(uint64(size)), Data: data},
	})
}
