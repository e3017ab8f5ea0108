module plumbline.dev/lab

go 1.26
