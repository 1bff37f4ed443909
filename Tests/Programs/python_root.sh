#!/bin/sh
# Makes the root of an image with this machine's Debian Python and one program, /site.py.
#
#   python_root.sh FOLDER PROGRAM [PACKAGE...]     makes FOLDER/root.tar; the packages are of Debian's, in pure Python
set -eu
folder=$1
root=$folder/root
mkdir -p "$root/bin" "$root/usr/bin" "$root/usr/lib" "$root/etc" "$root/tmp" "$root/data"
chmod 1777 "$root/tmp"
cp "$(command -v busybox)" "$root/bin/busybox"
for tool in sh cat echo sleep ls; do ln -s busybox "$root/bin/$tool"; done
python=$(readlink -f /usr/bin/python3)
cp "$python" "$root/usr/bin/python3"
library=/usr/lib/$(basename "$python")
mkdir -p "$root$library"
tar -C "$library" --exclude=__pycache__ --exclude=test --exclude=idlelib --exclude=dist-packages -cf - . | tar -C "$root$library" -xf -
# Lines of ldd: `NAME => PATH (ADDRESS)` and `PATH (ADDRESS)`.
for binary in "$python" "$library"/lib-dynload/*.so; do ldd "$binary" 2>/dev/null; done \
    | grep -oE '/[^ ]+\.so[^ ]*' | sort -u | while read -r file; do
    mkdir -p "$root$(dirname "$file")"
    cp -L "$file" "$root$file"
done
echo 'root:x:0:0::/:/bin/sh' > "$root/etc/passwd"
cp "$2" "$root/site.py"
shift 2
for package; do cp -r "/usr/lib/python3/dist-packages/$package" "$root/"; done
tar -cf "$folder/root.tar" -C "$root" .
