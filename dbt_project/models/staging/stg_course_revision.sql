{{ staging('course_revision') }}
