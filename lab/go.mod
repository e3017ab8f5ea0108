module plumbline.dev/lab

go 1.26

require plumbline.dev/image v0.0.0

replace plumbline.dev/image => ../agent/image
