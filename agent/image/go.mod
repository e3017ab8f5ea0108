module plumbline.dev/image

go 1.26
