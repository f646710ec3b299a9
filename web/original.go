package web

func (s *Server) routeOriginal() {}
